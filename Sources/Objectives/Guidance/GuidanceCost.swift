import Autodiff
import Batches
public import Kernels
import Layers
import Models
public import Recipes

/// What a guide costs on this machine, measured: its pass over a few images, and each comparison at its true size. A rate
/// of products tells too little of it: comparisons are long thin products and passes over memory.
public struct GuidanceCost: Sendable {
    /// The guide's own pass over a micro-batch of one rank, and comparing.
    public let guideSeconds, comparisonSeconds: Double
    public var seconds: Double { guideSeconds + comparisonSeconds }
    /// The rows of a step's table of times that stand for the same.
    public static let kinds: Set = ["guide", "GramAlignment", "FeatureAlignment", "VisibleRows", "CentredVisible"]

    /// Images of the guide's pass beyond which the rest is extrapolated, and floats of a side of a comparison.
    private static let images = 32
    private static let floats = 4 << 20
    private static let repetitions = 3

    /// - Parameters:
    ///   - samples: of a micro-batch on one rank.
    ///   - pool: as many threads as a rank has.
    public init?(_ recipe: Recipe, samples: Int, ranks: Int, pool: WorkerPool) throws {
        guard let settings = recipe.guidance else { return nil }
        let objective = try Catalog.objective(recipe, Graph().scope, InputSpec(recipe, classes: 10))
        guard let guidance = try Catalog.own.guidance(recipe, objective) else { return nil }
        let groups =
            settings.scope == .local
            ? SampleGroups(samples: samples)
            : SampleGroups(samples: samples, ranks: ranks, size: settings.ckaBatch)
        guideSeconds = try Self.guide(guidance, objective, samples: samples, pool)
        var known: [Comparands: Double] = [:]
        var total = 0.0
        for pair in guidance.pairs {
            let (x, y) = guidance.shapes(pair, samples: groups.samples)
            let usesGram = guidance.usesGram(pair, groups)
            let key = Comparands(x: x, y: y)
            let seconds = try known[key] ?? Self.compare(x, y, guidance.form, groups, usesGram, pool)
            known[key] = seconds
            total += seconds
        }
        comparisonSeconds = total
    }

    private struct Comparands: Hashable { let x, y: Shape }

    /// The guide without what is taken from its features.
    private static func guide(
        _ guidance: Guidance, _ objective: any Objective, samples: Int, _ pool: WorkerPool
    ) throws -> Double {
        let count = min(samples, images)
        let batch = objective.inputs(Graph(), batch: count)
        let recording = try guidance.recordGuide(maskShape: batch.mask?.shape, SampleGroups(samples: count))
        let store = ParameterStore(recording.graph, minimising: nil, seed: 0, pool: pool)
        let plan = try Plan(
            recording.graph, minimising: nil, keeping: recording.outputs, store: store, pool: pool, options: timed)
        let mask = recording.mask.flatMap { mask in
            objective.masking.map { masking in
                let masks = Floats(zeros: mask.shape.count)
                for sample in 0..<count {
                    masking.draw(
                        SampleKey(seed: 0, epoch: 0, sample: UInt64(sample)), update: 0,
                        into: masks[sample * masking.count..<(sample + 1) * masking.count])
                }
                return masks
            }
        }
        let pixels = Floats(zeros: recording.images.shape.count)
        pixels.fill(0.5)
        return Double(samples) / Double(count)
            * median {
                // The memory of an input serves others after its last use.
                plan.set(recording.images, pixels)
                if let input = recording.mask, let mask { plan.set(input, mask) }
                plan.forward()
                return plan.timings.filter { $0.kind != "CentredGram" }.reduce(0) { $0 + $1.forwardSeconds }
            }
    }

    /// One comparison with its backward, and the Gram matrix of the guide's side.
    private static func compare(
        _ x: Shape, _ y: Shape, _ form: Comparison, _ groups: SampleGroups, _ usesGram: Bool,
        _ pool: WorkerPool
    ) throws -> Double {
        let scale = usesGram && form == .flatten ? max(1, max(x.count, y.count) / floats) : 1
        func cut(_ shape: Shape) -> Shape {
            scale == 1 ? shape : [shape[0], max(1, shape.count / shape[0] / scale)]
        }
        let graph = Graph()
        let target = ParameterTable(graph.scope.parameter("x", cut(x), .normal(std: 1)))(in: graph)
        let features = ParameterTable(graph.scope.parameter("y", cut(y), .normal(std: 1)))(in: graph)
        let distance =
            usesGram
            ? GramAlignment(form, groups)(target, CentredGram(form, groups)(features))
            : FeatureAlignment(form, groups)(target, features)
        let store = ParameterStore(
            graph, minimising: distance, seed: 0, pool: pool, isFrozen: { $0 == "y" })
        let plan = try Plan(graph, minimising: distance, store: store, pool: pool, options: timed)
        return Double(scale)
            * median {
                plan.forward()
                plan.backward()
                return plan.timings.filter { $0.kind != "ParameterTable" }
                    .reduce(0) { $0 + $1.forwardSeconds + $1.backwardSeconds }
            }
    }

    private static var timed: PlanOptions {
        var options = PlanOptions()
        options.measuresTime = true
        return options
    }

    /// - Parameter body: runs once and returns its seconds and those of all runs before.
    private static func median(_ body: () -> Double) -> Double {
        var marks = [body()]
        for _ in 0..<repetitions { marks.append(body()) }
        return zip(marks.dropFirst(), marks).map { $0 - $1 }.sorted()[repetitions / 2]
    }
}
