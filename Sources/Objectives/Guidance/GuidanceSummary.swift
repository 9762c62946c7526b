public import Autodiff
import Kernels
import Layers

/// What a guide asks of a rank, for one micro-batch.
public struct GuidanceSummary: HookCost {
    public let pairs: [Guidance.Pair]
    /// The frozen network, forward only, with what is taken from its features.
    public let guide: PlanReport
    /// Those of comparing, on the side of the network that learns.
    public let planFlops: Int
    /// Bytes that a rank hands in and gets back because groups have samples of several ranks.
    public let exchangedBytes: Int

    init(_ recording: GuidedRecording) throws {
        let (guidance, groups) = (recording.guidance, recording.groups)
        pairs = guidance.pairs
        guide = try PlanReport(recording.guide.graph, minimising: nil, keeping: recording.guide.outputs)
        let kinds = ["GramAlignment", "FeatureAlignment"]
        let whole = try PlanReport(recording.total.graph, minimising: recording.total)
        planFlops = whole.rows.filter { kinds.contains($0.kind) }.reduce(0) { $0 + $1.flops + $1.backwardFlops }
        let floats = guidance.pairs.reduce(0) { sum, pair in
            let (x, y) = guidance.shapes(pair, samples: groups.total)
            // A Gram matrix of the target is needed in backward too, where its rows are gathered again.
            if guidance.usesGram(pair, groups) { return sum + 2 * x.count + y.count }
            let (p, q) = (x.channels, y.channels)
            return sum + groups.count * guidance.sets(of: pair) * (p + q + p * q + p * p + q * q)
        }
        exchangedBytes = groups.isLocal ? 0 : floats * MemoryLayout<Float>.stride
    }

    /// The guide's weights and values.
    public var bytes: Int { guide.parameterBytes + guide.arenaBytes }

    public var networkFlops: Int { guide.flops }
}

extension [any HookCost] {
    /// What a guide asks for, where there is one.
    public var guidance: GuidanceSummary? { lazy.compactMap { $0 as? GuidanceSummary }.first }
}
