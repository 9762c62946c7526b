import Autodiff
import Checkpoints
import Kernels
import Layers
import Objectives
import Synchronization
import Testing

struct AlignmentCases: Decodable, Sendable {
    struct Case: Decodable, Sendable { let n, p, q: Int }
    let cases: [Case]
    let grad: String
}
struct TokenCase: Decodable, Sendable { let B, T, p, q: Int }
struct MapCases: Decodable, Sendable { let cases: [String] }
struct ParallelCase: Decodable, Sendable { let ranks, local, p, q: Int }

/// Linear CKA, its forms and its gather over ranks, the spreading of layers.
@Suite struct GuidanceAlignment {
    static let alignments = optimFiles("guidance", AlignmentCases.self)
    static let tokens = optimFiles("guidance", TokenCase.self) { $0.file.names.contains("output/tokenwise/loss") }
    static let maps = optimFiles("guidance", MapCases.self)
    static let parallel = optimFiles("guidance", ParallelCase.self)

    @Test(arguments: alignments, [true, false])
    func `CKA and its gradients follow the reference`(_ golden: OptimFile<AlignmentCases>, usesGram: Bool) throws {
        for (index, size) in golden.settings.cases.enumerated() {
            let (x, y) = (try golden.floats("input/\(index)/x"), try golden.floats("input/\(index)/y"))
            let (p, q): (Shape, Shape) = ([size.n, size.p], [size.n, size.q])
            let groups = SampleGroups(samples: size.n)
            let ours = try MeasuredAlignment(x, p, y, q, .flatten, groups, usesGram: usesGram)
            let reference = Double(try golden.floats("output/\(index)/cka")[0])
            #expect(abs(1 - ours.distance - reference) <= 2e-6, "CKA \(index)")
            expectAligned(ours.gradient, try golden.floats("grad/\(index)/x"), sign: -1, "gradient of x \(index)")
            let other = try MeasuredAlignment(y, q, x, p, .flatten, groups, usesGram: usesGram)
            expectAligned(other.gradient, try golden.floats("grad/\(index)/y"), sign: -1, "gradient of y \(index)")
        }
    }

    @Test(arguments: alignments) func `the sums behind CKA follow the reference`(
        _ golden: OptimFile<AlignmentCases>
    ) throws {
        let pool = WorkerPool(threads: 1)
        for (index, size) in golden.settings.cases.enumerated() {
            let graph = Graph()
            let (x, y) = (graph.input("x", [size.n, size.p]), graph.input("y", [size.n, size.q]))
            let gram = CentredGram(.flatten, SampleGroups(samples: size.n))
            let (k, l) = (gram(x), gram(y))
            let store = ParameterStore(graph, minimising: nil, seed: 0, pool: pool)
            let plan = try Plan(graph, minimising: nil, keeping: [k, l], store: store, pool: pool)
            plan.set(x, Floats(try golden.floats("input/\(index)/x")))
            plan.set(y, Floats(try golden.floats("input/\(index)/y")))
            plan.forward()
            for (name, a, b) in [("xy", k, l), ("xx", k, k), ("yy", l, l)] {
                expectRelative(
                    pool.dot(plan.value(of: a), plan.value(of: b)),
                    Double(try golden.floats("output/\(index)/hsic_\(name)")[0]), 1e-5, "\(name) of \(index)")
            }
        }
    }

    @Test(arguments: tokens, ["flatten", "tokenwise", "samples", "pooled"])
    func `the forms of tokens follow the reference`(_ golden: OptimFile<TokenCase>, form: String) throws {
        let size = golden.settings
        let (x, y) = (try golden.floats("input/x"), try golden.floats("input/y"))
        let comparison: Comparison =
            switch form {
            case "tokenwise": .tokenwise
            case "samples": .samples
            default: .flatten
            }
        for usesGram in [true, false] {
            let ours = try MeasuredAlignment(
                x, [size.B, size.T, size.p], y, [size.B, size.T, size.q], comparison, SampleGroups(samples: size.B),
                usesGram: usesGram, record: { form == "pooled" ? MeanPooling(0..<size.T)($0) : $0 })
            let reference = Double(try golden.floats("output/\(form)/loss")[0])
            #expect(abs(ours.distance - reference) <= 1e-5, "\(form), Gram \(usesGram)")
            expectAligned(ours.gradient, try golden.floats("grad/\(form)/x"), "\(form), Gram \(usesGram)")
        }
    }

    @Test(arguments: maps) func `layers are spread as the reference spreads them`(_ golden: OptimFile<MapCases>) throws
    {
        for name in golden.settings.cases {
            let counts = name.split(separator: "->").compactMap { Int($0) }
            let targets = LayerMap.targets(guides: counts[0], targets: counts[1])
            #expect(targets == (try golden.integers("output/\(name)/student_of_guide")), "\(name)")
            let pairs = LayerMap.pairs(guides: counts[0], targets: counts[1]).flatMap { [$0.target, $0.guide] }
            #expect(pairs == (try golden.integers("output/\(name)/kept_pairs")), "\(name)")
            let all = LayerMap.pairs(guides: counts[0], targets: counts[1], keepingAll: true)
            #expect(all.map(\.target) == targets && all.map(\.guide) == Array(0..<counts[0]), "\(name)")
        }
    }

    @Test(arguments: parallel, [true, false])
    func `any number of ranks gives the value and gradient of one`(
        _ golden: OptimFile<ParallelCase>, usesGram: Bool
    ) throws {
        let size = golden.settings
        let total = size.ranks * size.local
        let (x, y) = (try golden.floats("input/x"), try golden.floats("input/y"))
        let reference = Double(try golden.floats("output/global/cka")[0])
        for ranks in Set([1, 2, 4, size.ranks]) where total % ranks == 0 {
            let rows = total / ranks
            let meeting = Meeting(ranks)
            let results = Mutex<[Int: Result<MeasuredAlignment, any Error>]>([:])
            let threads = (0..<ranks).map { rank in
                Thread("rank \(rank)") {
                    let result = Result {
                        try MeasuredAlignment(
                            Array(x[rank * rows * size.p..<(rank + 1) * rows * size.p]), [rows, size.p],
                            Array(y[rank * rows * size.q..<(rank + 1) * rows * size.q]), [rows, size.q], .flatten,
                            SampleGroups(samples: rows, rank: rank, ranks: ranks), usesGram: usesGram,
                            sumOverRanks: { meeting.sum($0, rank: rank) })
                    }
                    results.withLock { $0[rank] = result }
                }
            }
            for thread in threads { thread.join() }
            let parts = try (0..<ranks).map { rank in try #require(results.withLock { $0[rank] }).get() }
            let distance = parts.reduce(0) { $0 + $1.distance }
            #expect(abs(1 - distance - reference) <= 1e-5, "\(ranks) ranks")
            expectAligned(
                parts.flatMap(\.gradient), try golden.floats("grad/global/x"), sign: -1, "\(ranks) ranks")
        }
    }

    @Test(arguments: parallel) func `local values and sums follow the reference`(
        _ golden: OptimFile<ParallelCase>
    ) throws {
        let size = golden.settings
        let (x, y) = (try golden.floats("input/x"), try golden.floats("input/y"))
        let local = try golden.floats("output/local/cka")
        let (p, q) = (size.local * size.p, size.local * size.q)
        for rank in 0..<size.ranks {
            let ours = try MeasuredAlignment(
                Array(x[rank * p..<(rank + 1) * p]), [size.local, size.p], Array(y[rank * q..<(rank + 1) * q]),
                [size.local, size.q], .flatten, SampleGroups(samples: size.local), usesGram: true)
            #expect(abs(1 - ours.distance - Double(local[rank])) <= 1e-5)
        }
        let pool = WorkerPool(threads: 1)
        let rows = size.ranks * size.local
        let sides = ["x": (Floats(x), size.p), "y": (Floats(y), size.q)]
        for (name, (values, columns)) in sides {
            let sums = Floats(zeros: columns)
            pool.columnSums(
                values, rows: rows, channels: columns, into: sums, adding: false,
                scratch: Floats(zeros: WorkerPool.columnSumScratch(rows: rows, channels: columns)))
            expectAligned(sums.array, try golden.floats("output/sums/\(name)"), "Σ\(name)")
            for (other, (otherValues, width)) in sides where name <= other {
                let product = Floats(zeros: columns * width)
                pool.multiply(
                    Matrix(values, rows: rows, columns: columns).transposed,
                    Matrix(otherValues, rows: rows, columns: width),
                    into: Matrix(product, rows: columns, columns: width))
                expectAligned(
                    product.array, try golden.floats("output/sums/\(name)t\(other)"), "\(name)ᵀ\(other)")
            }
        }
    }
}
