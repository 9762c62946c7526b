public import Autodiff
public import Checkpoints
import Kernels

extension ParameterStore {
    /// Views of the parameters and buffers, under the reference's names.
    public var tensors: [StoredTensor] {
        let parameters = slots.map { StoredTensor($0.parameter.name, $0.parameter.shape, values[$0.range]) }
        let tables = buffers.compactMap { buffer -> StoredTensor? in
            switch buffer.content {
            case .integers(let table): StoredTensor(buffer.name, buffer.shape, integers: table)
            case .constants(let table): StoredTensor(buffer.name, buffer.shape, Floats(table))
            case .floats: self.buffer(buffer.name).map { StoredTensor(buffer.name, buffer.shape, $0) }
            }
        }
        return parameters + tables
    }
}
