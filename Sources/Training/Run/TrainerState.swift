import Autodiff
import Batches
public import Checkpoints
public import Cluster
import Kernels
import Messages
import Objectives
import Optimizers
import Recipes

extension Trainer {
    /// Everything that a resumed run needs, on rank 0. Nothing may change the weights before it is written.
    /// - Parameter gathered: from `gather`.
    func tensors(with gathered: [StoredTensor]) -> [CheckpointPart: [StoredTensor]] {
        var parts = views
        parts[.objective]? += gathered
        return parts
    }

    /// Collective. The state of hooks that lies in parts on the ranks, as a whole on rank 0.
    func gather() throws -> [StoredTensor] {
        try hooks.flatMap { hook in
            zip(hook.wholes, try hook.gather()).map { StoredTensor($0.name, Shape($0.shape), $1) }
        }
    }

    /// Views of all state but what is gathered: writing to them restores it.
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
            hooks.flatMap(\.tensors) + otherWeights.flatMap { prefix, store in store.tensors(under: prefix) }
        if !others.isEmpty || hooks.contains(where: { !$0.wholes.isEmpty }) { parts[.objective] = others }
        return parts
    }

    /// Weights beside those of the first network: the second one, and the copies that hooks keep.
    private var otherWeights: [(prefix: String, store: ParameterStore)] {
        networks.enumerated().dropFirst().map { (prefix: "elr/net\($0 + 1)/", store: $1.store) }
            + hooks.flatMap(\.copies)
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
                    besides: part == .objective ? hooks.flatMap(\.wholes) : [])
            }
        }
        for floats in networks.flatMap(\.groups.state) + (average?.memory ?? []) + hooks.flatMap(\.memory) {
            try communicator.broadcast(floats.viewed(as: UInt8.self))
        }
        try shareModel(over: communicator)
        for hook in hooks {
            try hook.scatter { tensor in
                var whole: Floats?
                try communicator.onRankZero {
                    whole = try checkpoint?.open(.objective).tensor(tensor.name).bytes.viewed(as: Float.self)
                }
                return whole
            }
        }
        clock = TrainingClock(
            updatesPerPass: clock.updatesPerPass, globalBatch: clock.globalBatch, step: state.iteration,
            updatesOfNetworks: state.extra["elr/step"]?.array?.compactMap { $0.integer } ?? [state.updates])
    }

    /// What the state of the run says of the hooks besides tensors.
    var extraState: [String: JSON] {
        hooks.reduce(into: marks.mapValues(JSON.string)) { all, hook in
            all.merge(hook.state(clock)) { first, _ in first }
        }
    }

    /// A resumed run goes on beside the same things as before.
    func check(_ state: RunState) throws {
        let before = state.extra.filter { $0.key.hasSuffix("/hash") }.compactMapValues(\.string)
        for key in Set(before.keys).union(marks.keys).sorted() where before[key] != marks[key] {
            throw SharedError(TrainingError.otherHook(key, before: before[key], now: marks[key]))
        }
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
        average?.restart(from: store.values, statistics: store.statistics, counters: store.counters)
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
                    ? store.tensors(
                        store.values, statistics: store.statistics, counters: store.counters, prefix: prefix)
                    : store.tensors,
                counters: store.memory(of: store.counters, prefix: prefix))
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
        average.swap(with: store.values, statistics: store.statistics, counters: store.counters)
        defer { average.swap(with: store.values, statistics: store.statistics, counters: store.counters) }
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
