import Autodiff
public import Checkpoints
public import Cluster
import Kernels

extension Trainer {
    /// Views of everything that a resumed run needs. Nothing may change the weights before they are written.
    public var tensors: [CheckpointPart: [StoredTensor]] {
        var parts: [CheckpointPart: [StoredTensor]] = [.model: store.tensors]
        parts[.optimizer] = zip(rule.stateNames, groups.state).flatMap { name, floats in
            store.trainableSlots.map { slot in
                StoredTensor("optim/\(name)/\(slot.parameter.name)", slot.parameter.shape, floats[slot.range])
            }
        }
        if let average {
            parts[.average] = store.slots.map { slot in
                StoredTensor("ema/\(slot.parameter.name)", slot.parameter.shape, average.values[slot.range])
            }
        }
        if !companions.isEmpty { parts[.objective] = companions.flatMap(\.tensors) }
        return parts
    }

    /// Collective. Rank 0 reads the checkpoint; the others get its numbers from there, so that they need no disk.
    /// - Parameter checkpoint: nil on the other ranks.
    public func restore(_ checkpoint: Checkpoint?, _ state: RunState, over communicator: any Communicator) throws {
        try communicator.onRankZero {
            guard let checkpoint else { return }
            for (part, wanted) in tensors { try copy(checkpoint.open(part), into: wanted) }
        }
        for floats in groups.state + (average.map { [$0.values] } ?? []) + companions.flatMap(\.state) {
            try communicator.broadcast(floats.viewed(as: UInt8.self))
        }
        try shareModel(over: communicator)
        clock = TrainingClock(
            updatesPerEpoch: clock.updatesPerEpoch, globalBatch: clock.globalBatch, step: state.iteration,
            updates: state.updates)
    }

    /// Collective. Takes weights of another run as the start; a moving average begins there too.
    /// - Returns: what became of them, on rank 0.
    func begin(with start: StartingWeights, over communicator: any Communicator) throws -> StartingWeights.Report? {
        var report: StartingWeights.Report?
        try communicator.onRankZero { report = try start.load(into: store, objective, recipe) }
        try shareModel(over: communicator)
        average?.values.copy(from: store.values)
        return report
    }

    /// Collective. The weights of a saved step of this run in place of the last ones, to be looked at.
    func takeWeights(
        ofStep step: Int, averaged: Bool, in folder: String, over communicator: any Communicator
    ) throws {
        try communicator.onRankZero {
            let checkpoint = try CheckpointStore(folder + "/checkpoints").checkpoint(ofStep: step)
            if averaged {
                let wanted = store.slots.map {
                    StoredTensor("ema/\($0.parameter.name)", $0.parameter.shape, store.values[$0.range])
                }
                try copy(checkpoint.open(.average), into: wanted)
            } else {
                try copy(checkpoint.open(.model), into: store.tensors)
            }
        }
        try shareModel(over: communicator)
    }

    /// Runs `body` with the averaged weights in place of the last ones, which come back bit for bit.
    /// - Returns: nil where no average is kept.
    func withAverage<Value>(_ body: () throws -> Value) rethrows -> Value? {
        guard let average else { return nil }
        store.values.swap(with: average.values)
        defer { store.values.swap(with: average.values) }
        return try body()
    }

    /// Collective. Rank 0's parameters and running statistics.
    private func shareModel(over communicator: any Communicator) throws {
        for floats in [store.values] + store.buffers.compactMap({ store.buffer($0.name) }) {
            try communicator.broadcast(floats.viewed(as: UInt8.self))
        }
    }

    /// The tensors of this trainer are views of its memory: writing to them restores it.
    private func copy(_ file: Safetensors, into targets: [StoredTensor]) throws {
        let wanted = targets.map { WantedTensor($0.name, $0.shape, isInteger: $0.kind != .f32) }
        for (target, stored) in zip(targets, try file.tensors.fitted(to: wanted, from: file.path)) {
            guard let stored, target.kind == .f32 else { continue }
            target.bytes.copy(from: stored.bytes)
        }
    }
}
