public import Autodiff
public import Checkpoints
import Kernels

extension ParameterStore {
    /// Takes over the weights of a checkpoint, which has exactly those of this model.
    /// - Parameter averaged: the moving average of the weights instead of the last ones.
    public func load(_ checkpoint: Checkpoint, averaged: Bool) throws(CheckpointError) {
        let model = try checkpoint.open(.model)
        let parameters = slots.map { WantedTensor($0.parameter.name, $0.parameter.shape.extents) }
        let tables = buffers.map { buffer in
            WantedTensor(buffer.name, buffer.shape.extents, isInteger: buffer.isInteger)
        }
        let stored = try model.tensors.fitted(to: parameters + tables, from: model.path)
        let targets = slots.map { Optional(values[$0.range]) } + buffers.map { buffer($0.name) }
        for case (let tensor?, let target?) in zip(stored, targets) { try tensor.copy(into: target) }
        guard averaged else { return }
        guard checkpoint.holds(.average) else {
            throw CheckpointError(
                .mismatched, at: checkpoint.path, found: "no EMA weights", expected: "ema.safetensors",
                hint: "the run kept no average: leave --average out")
        }
        let average = try checkpoint.open(.average)
        let moved = zip(parameters + tables, targets).filter { $0.1 != nil }
        let wanted = moved.map { WantedTensor("ema/" + $0.0.name, $0.0.shape, isInteger: $0.0.isInteger) }
        let found = try average.tensors.fitted(to: wanted, from: average.path)
        for case (let tensor?, let target?) in zip(found, moved.map(\.1)) { try tensor.copy(into: target) }
    }
}
