public import Autodiff
public import Kernels
public import Recipes

/// The trainable parameters in groups of one layer and one weight decay, in order of first appearance, with the state that
/// the update rule keeps for them.
public struct ParameterGroups {
    public struct Group {
        public let run: ParameterRun
        /// Factor on the learning rate: `LayerDecay`.
        public let scale: Double
        /// Whether weight decay applies.
        public let decays: Bool
    }

    public let groups: [Group]
    /// The runs of all groups.
    public let runs: [ParameterRun]
    /// One buffer per state name, laid out as the store's gradients.
    public let state: [Floats]

    /// - Parameters:
    ///   - decays: whether weight decay applies, from name and rank of a parameter.
    ///   - scale: factor on the learning rate, from its name.
    public init(
        _ store: ParameterStore, rule: any UpdateRule, decays: (String, Int) -> Bool,
        scale: (String) -> Double = { _ in 1 }
    ) {
        let count = store.gradients.count
        let state = rule.stateNames.map { _ in Floats(zeros: count) }
        struct Key: Hashable {
            let scale: Double
            let decays: Bool
        }
        var order: [Key] = []
        var members: [Key: [RunTensor]] = [:]
        // In the order of declaration, as the references walk their parameters.
        for case let slot? in store.names.map({ store.slot($0) }) where slot.isTrainable {
            let (name, rank) = (slot.parameter.name, slot.parameter.shape.rank)
            let key = Key(scale: scale(name), decays: decays(name, rank))
            if members[key] == nil { order.append(key) }
            members[key, default: []].append(RunTensor(range: slot.range, rank: rank))
        }
        groups = order.map { key in
            Group(
                run: ParameterRun(
                    values: store.values[0..<count], gradients: store.gradients, state: state,
                    tensors: (members[key] ?? []).sorted { $0.range.lowerBound < $1.range.lowerBound }),
                scale: key.scale, decays: key.decays)
        }
        runs = groups.map(\.run)
        self.state = state
    }
}

/// The weight decay over a run. In SparK's pretraining it grows; the finetuning recipes keep it.
public struct WeightDecaySchedule: Sendable, Equatable {
    let start, end: Double
    let length: Updates

    /// `end + (start - end)·(1 + cos(πs/(T-1)))/2` over the T updates of `length`; without an end it stays.
    public init(_ start: Double, end: Double? = nil, over length: Updates) {
        (self.start, self.end, self.length) = (start, end ?? start, length)
    }

    /// The weight decay of a recipe.
    public init(_ recipe: Recipe, _ clock: EpochClock) {
        self.init(
            recipe.optimizer.weightDecay, end: recipe.optimizer.weightDecayEnd,
            over: Updates(recipe.totalUpdates(perEpoch: clock.updates)))
    }

    /// The weight decay in force during an update (from 0) of the run, for groups that decay.
    public func value(at update: Int) -> Double {
        guard end != start else { return start }
        return end + (start - end) * halfCosine(Double(update) / Double(max(length.count - 1, 1)))
    }
}
