public import Autodiff
public import Kernels

/// The trainable parameters in groups of one layer and one decay, in order of first appearance, with the state that the update rule keeps for them.
public struct ParameterGroups {
    public struct Group {
        public let run: ParameterRun
        /// Factor on the learning rate: layer-wise decay.
        public let rateScale: Double
        /// Whether weight decay applies.
        public let decays: Bool
    }

    public let groups: [Group]
    /// Of all groups.
    public let runs: [ParameterRun]
    /// One buffer per state name, laid out as the store's gradients.
    public let state: [Floats]

    /// - Parameters:
    ///   - decays: from name and rank of a parameter.
    ///   - rateScale: from its name.
    public init(
        _ store: ParameterStore, rule: any UpdateRule, decays: (String, Int) -> Bool,
        rateScale: (String) -> Double = { _ in 1 }
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
            let key = Key(scale: rateScale(name), decays: decays(name, rank))
            if members[key] == nil { order.append(key) }
            members[key, default: []].append(RunTensor(range: slot.range, rank: rank))
        }
        groups = order.map { key in
            Group(
                run: ParameterRun(
                    values: store.values[0..<count], gradients: store.gradients, state: state,
                    tensors: (members[key] ?? []).sorted { $0.range.lowerBound < $1.range.lowerBound }),
                rateScale: key.scale, decays: key.decays)
        }
        runs = groups.map(\.run)
        self.state = state
    }
}
