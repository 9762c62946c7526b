import Autodiff
import Batches
public import Checkpoints
public import Cluster
import Kernels
import Objectives
import Optimizers
import Recipes

extension Trainer {
    /// Everything that a resumed run needs, on rank 0. Nothing may change the weights before it is written.
    /// - Parameter targets: from `gatheredTargets`.
    func tensors(with targets: [Floats]) -> [CheckpointPart: [StoredTensor]] {
        var parts = views
        parts[.objective, default: []] += zip(targetTensors, targets).map { StoredTensor($0.name, Shape($0.shape), $1) }
        return parts
    }

    /// Collective. The targets of early-learning regularisation of each network as a whole, (samples, classes), on rank 0.
    func gatheredTargets() throws -> [Floats] { try (early?.targets ?? []).compactMap { try $0.gathered() } }

    private var targetTensors: [WantedTensor] {
        (early?.targets ?? []).enumerated().map { network, rows in
            WantedTensor("elr/target\(network == 0 ? "" : "\(network + 1)")", [rows.samples, rows.classes])
        }
    }

    /// Views of all state but the targets: writing to them restores it.
    private var views: [CheckpointPart: [StoredTensor]] {
        var parts: [CheckpointPart: [StoredTensor]] = [.model: store.tensors]
        parts[.optimizer] = networks.enumerated().flatMap { number, network in
            zip(rule.stateNames, network.groups.state).flatMap { name, floats in
                network.store.trainableSlots.map { slot in
                    StoredTensor(
                        "optim\(number == 0 ? "" : "\(number + 1)")/\(name)/\(slot.parameter.name)",
                        slot.parameter.shape, floats[slot.range])
                }
            }
        }
        if let average {
            parts[.average] = store.tensors(
                average.values, statistics: average.statistics, counters: average.counters, prefix: "ema/")
        }
        let others =
            companions.flatMap(\.tensors) + otherWeights.flatMap { prefix, store in store.tensors(under: prefix) }
            + (labels?.tensors ?? [])
        if early != nil || !others.isEmpty { parts[.objective] = others }
        return parts
    }

    /// Weights beside those of the first network: the second one, and the averages of both.
    private var otherWeights: [(prefix: String, store: ParameterStore)] {
        let others = networks.enumerated().dropFirst().map { (prefix: "elr/net\($0 + 1)/", store: $1.store) }
        let averages = networks.enumerated().compactMap { number, network in
            network.average.map { (prefix: "elr/ema\(number + 1)/", store: $0.store) }
        }
        return others + averages
    }

    /// Collective. Rank 0 reads the checkpoint; the others get its numbers from there, so that they need no disk. The number
    /// of ranks may be another one than when it was written.
    /// - Parameter checkpoint: nil on the other ranks.
    public func restore(_ checkpoint: Checkpoint?, _ state: RunState, over communicator: any Communicator) throws {
        try communicator.onRankZero {
            guard let checkpoint else { return }
            let counters = counterMemory
            for (part, wanted) in views {
                try copy(
                    checkpoint.open(part), into: wanted, counters: counters,
                    besides: part == .objective ? targetTensors : [])
            }
        }
        for floats in networks.flatMap(\.groups.state) + (average?.memory ?? []) + companions.flatMap(\.state) {
            try communicator.broadcast(floats.viewed(as: UInt8.self))
        }
        try shareModel(over: communicator)
        for (tensor, rows) in zip(targetTensors, early?.targets ?? []) {
            var whole: Floats?
            try communicator.onRankZero {
                whole = try checkpoint?.open(.objective).tensor(tensor.name).bytes.viewed(as: Float.self)
            }
            try rows.restore(whole)
        }
        clock = TrainingClock(
            updatesPerPass: clock.updatesPerPass, globalBatch: clock.globalBatch, step: state.iteration,
            updatesOfNetworks: state.extra["elr/step"]?.array?.compactMap { $0.integer } ?? [state.updates])
    }

    /// What the state of the run says of the networks besides tensors.
    var extraState: [String: JSON] {
        early == nil ? [:] : ["elr/step": .array(clock.updatesOfNetworks.map(JSON.integer))]
    }

    /// Collective. Takes weights of another run as the start; a moving average begins there too.
    /// - Returns: what became of them, on rank 0.
    func begin(with start: StartingWeights, over communicator: any Communicator) throws -> StartingWeights.Report? {
        var report: StartingWeights.Report?
        try communicator.onRankZero {
            for store in [store] + otherWeights.map(\.store) {
                let found = try start.load(into: store, objective.encoder, as: recipe.model, of: recipe)
                report = report ?? found
            }
        }
        try shareModel(over: communicator)
        average?.restart(from: store.values, statistics: statistics, counters: counters)
        return report
    }

    /// Collective. The weights of a saved step of this run in place of the last ones, to be looked at.
    func takeWeights(
        ofStep step: Int, averaged: Bool, in folder: String, over communicator: any Communicator
    ) throws {
        try communicator.onRankZero {
            let checkpoint = try CheckpointStore(folder + "/checkpoints").checkpoint(ofStep: step)
            let prefix = averaged ? "ema/" : ""
            try copy(
                checkpoint.open(averaged ? .average : .model),
                into: averaged
                    ? store.tensors(store.values, statistics: statistics, counters: counters, prefix: prefix)
                    : store.tensors,
                counters: store.memory(of: counters, prefix: prefix))
            guard !averaged else { return }
            for (prefix, store) in otherWeights {
                let file = try checkpoint.open(.objective)
                for target in store.tensors(under: prefix) where target.kind == .f32 {
                    target.bytes.copy(from: try file.tensor(target.name).bytes)
                }
            }
        }
        try shareModel(over: communicator)
    }

    /// Runs `body` with the EMA weights in place of the last ones, which come back bit for bit.
    /// - Returns: nil where no average is kept.
    func withAverage<Value>(_ body: () throws -> Value) rethrows -> Value? {
        guard let average else { return nil }
        average.swap(with: store.values, statistics: statistics, counters: counters)
        defer { average.swap(with: store.values, statistics: statistics, counters: counters) }
        return try body()
    }

    /// Collective. Rank 0's parameters and running statistics.
    private func shareModel(over communicator: any Communicator) throws {
        for store in [store] + otherWeights.map(\.store) {
            for floats in [store.values] + store.buffers.compactMap({ store.buffer($0.name) }) {
                try communicator.broadcast(floats.viewed(as: UInt8.self))
            }
        }
    }

    /// Counters of batch norms by the names that they are stored under: their tensors are whole numbers and no views.
    private var counterMemory: [String: Floats] {
        let own = ([(prefix: "", store: store)] + otherWeights).map { $1.memory(of: $1.counters, prefix: $0) }
        let averaged = average.map { [store.memory(of: $0.counters, prefix: "ema/")] } ?? []
        return (own + averaged).reduce(into: [:]) { all, some in all.merge(some) { first, _ in first } }
    }

    /// - Parameters:
    ///   - targets: views of this trainer's memory, but for counters.
    ///   - counters: the memory of those, by name.
    ///   - others: tensors that the file holds too.
    private func copy(
        _ file: Safetensors, into targets: [StoredTensor], counters: [String: Floats],
        besides others: [WantedTensor] = []
    ) throws {
        let wanted = targets.map { WantedTensor($0.name, $0.shape, isInteger: $0.kind != .f32) }
        for (target, stored) in zip(targets, try file.tensors.fitted(to: wanted + others, from: file.path)) {
            guard let stored else { continue }
            if target.kind == .f32 {
                target.bytes.copy(from: stored.bytes)
            } else {
                try counters[target.name].map(stored.copy(into:))
            }
        }
    }
}

extension ParameterStore {
    /// Views of its tensors with something before their names.
    fileprivate func tensors(under prefix: String) -> [StoredTensor] {
        tensors.map { StoredTensor(name: prefix + $0.name, kind: $0.kind, shape: $0.shape, bytes: $0.bytes) }
    }
}

extension NoisyLabels {
    fileprivate var tensors: [StoredTensor] {
        [
            StoredTensor("labels/noisy", [noisy.count], integers: noisy),
            StoredTensor("labels/clean", [clean.count], integers: clean),
        ]
    }
}
