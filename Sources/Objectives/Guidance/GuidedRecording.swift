public import Autodiff
import Kernels
public import Layers
public import Models
public import Recipes

/// A method's loss recorded together with the distances from a guide.
public struct GuidedRecording {
    /// What one pair brings in and what comes of it.
    public struct Link {
        public let pair: Guidance.Pair
        /// An input: what the guide hands over.
        public let comparand: Tensor
        /// (2): this rank's share of the distance, and of the groups in which there is none.
        public let distance: Tensor
    }

    public let guidance: Guidance
    public let guide: GuideRecording
    public let groups: SampleGroups
    /// The method's alone.
    public let loss: Loss
    /// What is made smaller.
    public let total: Tensor
    /// An input (1): the factor on the sum of distances in this step.
    public let alpha: Tensor
    public let links: [Link]
    /// Ranks whose shares add up to a distance.
    public let sharers: Int
}

extension Guidance {
    /// Records the loss of a batch with its guide. Each distance is taken right behind its tap, so that backward holds
    /// one of their gradients at a time.
    /// - Parameters:
    ///   - samples: of this rank.
    ///   - ranks: that share the batch.
    ///   - loss: records the method's loss of the batch; nil does it here.
    public func record(
        _ objective: any Objective, _ batch: BatchTensors, rank: Int, ranks: Int, loss record: (() -> Loss)? = nil
    ) throws(ModelError) -> GuidedRecording {
        let samples = batch.images.shape[0]
        let groups =
            settings.scope == .local
            ? SampleGroups(samples: samples)
            : SampleGroups(samples: samples, rank: rank, ranks: ranks, size: settings.ckaBatch)
        let guide = try recordGuide(maskShape: batch.mask?.shape, groups)
        let graph = batch.images.graph
        let alpha = graph.input("guidance.alpha", [1])
        let comparands = guide.outputs.enumerated().map { graph.input("guidance.\($0)", $1.shape) }
        var distances = [Tensor?](repeating: nil, count: pairs.count)
        let loss = graph.watching { tap in
            let name = tap.name(inside: type(of: objective).encoderPrefix)
            for (index, pair) in pairs.enumerated() where pair.target.name == name && distances[index] == nil {
                let rows = rows(tap.value, pair.target, groups, isGuide: false, mask: batch.mask)
                distances[index] =
                    usesGram(pair, groups)
                    ? GramAlignment(form, groups)(rows, comparands[index])
                    : FeatureAlignment(form, groups)(rows, comparands[index])
            }
        } _: {
            record?() ?? objective.loss(batch)
        }
        if let missing = distances.firstIndex(where: { $0 == nil }) {
            throw ModelError(
                "guidance.taps_target", found: pairs[missing].target.name, expected: "a tap that the method computes",
                hint: "a method that masks cells pools nothing")
        }
        let sharers = settings.scope == .local ? 1 : ranks
        let found = distances.compactMap(\.self)
        return GuidedRecording(
            guidance: self, guide: guide, groups: groups, loss: loss,
            total: GuidedLoss(ranks: sharers)(loss.sum, weight: loss.weight, alpha: alpha, found), alpha: alpha,
            links: pairs.indices.map { .init(pair: pairs[$0], comparand: comparands[$0], distance: found[$0]) },
            sharers: sharers)
    }
}

extension IntermediateFeature {
    /// Its name in the encoder; empty for the method's own layers, which lie outside.
    fileprivate func name(inside prefix: String) -> String {
        if kind != .layer && kind != .norm { return name }
        return name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : ""
    }
}

extension GuidedRecording: HookPart {
    public typealias Settings = Guidance.Settings
    public static let key = "guidance"
    public static let meaning = "A frozen network that the features are drawn towards; absent: none."

    public static func check(_ settings: Settings, _ recipe: Recipe, _ here: Here) { settings.check(recipe, here) }

    /// Only a rank that trains has a guide.
    public init?(_ step: StepRecording) throws {
        guard let rank = step.rank, let guidance = try step.catalog.guidance(step.recipe, step.objective) else {
            return nil
        }
        let settings = guidance.settings
        guard
            step.recipe.batch.gradAccumSteps == 1 || settings.scope == .local || step.samples % settings.ckaBatch == 0
        else {
            throw ModelError(
                "guidance.cka_batch", found: "\(settings.ckaBatch)",
                expected: "a divisor of the \(step.samples) samples of a rank's micro-batch",
                hint: "with accumulation the micro-batches of two ranks are not neighbours")
        }
        self = try guidance.record(step.objective, step.batch, rank: rank, ranks: step.ranks) { step.loss }
    }

    public var minimised: Tensor? { total }
    public var reads: [Tensor] { links.map(\.distance) }

    public func hook(_ context: HookContext) throws -> (any StepHook)? { try Guide(self, context) }

    public func cost() throws -> (any HookCost)? { try GuidanceSummary(self) }
}

extension Recipe {
    public var guidance: Guidance.Settings? { settings(of: GuidedRecording.self) }
}
