import Batches
import Evaluation
import Foundation
import Kernels
import Testing

/// Labels without images.
struct LabelledSet: SampleSource {
    let labels: [Int]
    let name = "made"
    var count: Int { labels.count }
    var classes: [String]? { ["one", "two", "three"] }
    var fingerprint: Fingerprint { Fingerprint(count: count, classes: 3, hash: 0) }
    func label(_ index: Int) -> Int? { labels[index] }
    func place(_ index: Int) -> String { "made \(index)" }
    func read(_ index: Int, into image: inout Image, using memory: inout ReadMemory) throws(SampleError) {}
}

/// Three clouds in two pieces of three channels each; the first piece is all noise.
func clouds(_ count: Int, seed: UInt64, spread: Double = 1) -> Features {
    var random = RandomStream(seed: seed, purpose: .procedural)
    func noise() -> Double { (0..<6).reduce(-3) { sum, _ in sum + random.uniform() } }
    var values: [Float] = []
    for index in 0..<count {
        for _ in 0..<3 { values.append(Float(noise())) }
        // Far from zero and of unequal size, as features are.
        for channel in 0..<3 {
            let centre = channel == index % 3 ? 4.0 : 0
            values.append(Float((centre + spread * noise()) * [1, 10, 0.1][channel] + 5))
        }
    }
    return Features(
        name: "clouds", values: Floats(values),
        pieces: [
            FeaturePiece(name: "blocks.0 class token", columns: 0..<3),
            FeaturePiece(name: "output mean", columns: 3..<6),
        ], labels: (0..<count).map { $0 % 3 }, samples: Array(0..<count), classes: ["one", "two", "three"])
}

@Suite struct ProbeTests {
    // A pool serves one caller at a time.
    private let pool = WorkerPool(threads: 2)

    private let train = clouds(600, seed: 1)
    private let test = clouds(300, seed: 2)
    private var source: LabelledSet { LabelledSet(labels: train.labels) }

    private func run(_ kind: ProbeProtocol, _ test: Features, seed: UInt64 = 0, amount: ClassShare? = nil) throws
        -> LinearProbe.Outcome
    {
        try LinearProbe(kind, train: train, test: test, pool: pool).run(seed: seed, on: source, amount: amount) {
            #expect($0 <= $1)
        }
    }

    @Test(arguments: ProbeProtocol.allCases) func `clouds apart from each other are told apart`(
        _ kind: ProbeProtocol
    ) throws {
        let outcome = try run(kind, test)
        // A layer norm over three channels of unequal size leaves less to tell them by.
        #expect(outcome.top1 > (kind == .dinov2 ? 75 : 95))
        #expect(outcome.top5 == 100)
        #expect(outcome.samples == 600)
        #expect(try run(kind, test) == outcome)
        if kind == .dinov2 { #expect(outcome.feature.contains("output mean")) }
    }

    @Test func `the test set decides nothing`() throws {
        let other = Features(
            name: "other", values: test.values, pieces: test.pieces, labels: test.labels.map { ($0 + 1) % 3 },
            samples: test.samples, classes: test.classes)
        let (one, two) = (try run(.mae, test), try run(.mae, other))
        #expect(one.setting == two.setting)
        #expect(one.validation == two.validation)
        #expect(two.top1 < 5)
    }

    @Test func `few-shot draws are balanced and follow the seed`() throws {
        let rows = try train.rows(of: source, .perClass(4), seed: 7)
        for label in 0..<3 { #expect(rows.count { train.labels[$0] == label } == 4) }
        #expect(try train.rows(of: source, .perClass(4), seed: 7) == rows)
        #expect(try train.rows(of: source, .perClass(4), seed: 8) != rows)
        #expect(Set(rows).isSubset(of: Set(try train.rows(of: source, .perClass(9), seed: 7))))
        #expect(try run(.logistic, test, amount: .perClass(4)).samples == 12)
        #expect(throws: DataError.self) { try run(.logistic, test, amount: .perClass(1)) }
    }

    @Test func `each sample is scored whatever the size of the blocks`() throws {
        let same = clouds(5_000, seed: 2)
        let outcome = try run(.logistic, same)
        let tail = Features(
            name: "tail", values: same.values[4_096 * 6..<5_000 * 6], pieces: same.pieces,
            labels: Array(same.labels[4_096...]), samples: Array(4_096..<5_000), classes: same.classes)
        let head = Features(
            name: "head", values: same.values[0..<4_096 * 6], pieces: same.pieces, labels: Array(same.labels[..<4_096]),
            samples: Array(0..<4_096), classes: same.classes)
        let (first, last) = (try run(.logistic, head), try run(.logistic, tail))
        #expect(abs((first.top1 * 4_096 + last.top1 * 904) / 5_000 - outcome.top1) < 1e-9)
    }
}

@Suite struct NearestNeighboursTests {
    // A pool serves one caller at a time.
    private let pool = WorkerPool(threads: 2)

    /// Every similarity, sorted; votes added in that order.
    private func plain(_ train: Features, _ test: Features, k: Int, temperature: Double) -> Double {
        func product(_ x: [Double], _ y: [Double]) -> Double {
            var sum = 0.0
            for index in x.indices { sum += x[index] * y[index] }
            return sum
        }
        func unit(_ features: Features, _ row: Int) -> [Double] {
            let vector = features.values[row * features.width..<(row + 1) * features.width].array.map { Double($0) }
            let length = product(vector, vector).squareRoot()
            return vector.map { $0 / length }
        }
        let known = (0..<train.count).map { unit(train, $0) }
        var hits = 0
        for row in 0..<test.count {
            let own = unit(test, row)
            let all: [(Double, Int)] = known.enumerated().map { (product(own, $1), $0) }
            let near = all.sorted { $0.0 > $1.0 || ($0.0 == $1.0 && $0.1 < $1.1) }.prefix(k)
            var votes = [Double](repeating: 0, count: 3)
            for (similarity, neighbour) in near { votes[train.labels[neighbour]] += exp(similarity / temperature) }
            if votes.firstIndex(of: votes.max() ?? 0) == test.labels[row] { hits += 1 }
        }
        return 100 * Double(hits) / Double(test.count)
    }

    @Test func `the vote is that of a plain search`() throws {
        // Clouds that overlap, more of them than a block of rows on both sides.
        let (train, test) = (clouds(4_500, seed: 3, spread: 4), clouds(300, seed: 5, spread: 4))
        let scores = try NearestNeighbours(counts: [1, 7, 50], temperature: 0.07, pool: pool).score(
            train: train, test: test)
        for score in scores {
            // Similarities are rounded to Float: a tie may fall the other way.
            #expect(abs(score.top1 - plain(train, test, k: score.k, temperature: 0.07)) < 0.7)
            #expect(score.top5 == 100 || score.k == 1)
        }
        #expect(scores.map(\.k) == [1, 7, 50])
    }

    @Test func `a training sample is its own nearest neighbour`() throws {
        let train = clouds(90, seed: 3)
        let scores = try NearestNeighbours(counts: [1, 500], pool: pool).score(train: train, test: train)
        #expect(scores[0].top1 == 100)
        #expect(scores[1].k == 90)
    }
}
