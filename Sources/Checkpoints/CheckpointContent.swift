public import Kernels

/// The files of a checkpoint that hold tensors.
public enum CheckpointPart: String, Sendable, CaseIterable {
    /// Parameters and buffers under the reference's names.
    case model
    /// `optim/exp_avg/<parameter>` and the like, never cut by ranks.
    case optimizer
    /// `ema/<name>`: EMA weights.
    case average = "ema"
    /// What an objective keeps between steps: `elr/target`.
    case objective

    var fileName: String { rawValue + ".safetensors" }
}

/// What is to be saved. The tensors are views: nothing may change them before the save returns.
public struct CheckpointContent: Sendable {
    public var state: RunState
    /// A part without tensors gets no file.
    public var tensors: [CheckpointPart: [StoredTensor]]
    /// Small files by name, such as `resolved.yaml`.
    public var attachments: [String: [UInt8]]

    public init(
        state: RunState, tensors: [CheckpointPart: [StoredTensor]], attachments: [String: [UInt8]] = [:]
    ) {
        self.state = state
        self.tensors = tensors
        self.attachments = attachments
    }
}

extension CheckpointContent {
    /// Memory that `snapshot` needs.
    public var snapshotBytes: Int {
        tensors.values.joined().reduce(0) { $0 + Self.aligned($1.bytes.count) }
    }

    /// The same content in `memory` of `snapshotBytes` bytes, so that training can go on while a thread saves it.
    public func snapshot(in memory: Bytes) -> CheckpointContent {
        var copy = self
        var end = 0
        for (part, list) in tensors {
            copy.tensors[part] = list.map { tensor in
                let bytes = memory[end..<end + tensor.bytes.count]
                bytes.copy(from: tensor.bytes)
                end += Self.aligned(tensor.bytes.count)
                return StoredTensor(name: tensor.name, kind: tensor.kind, shape: tensor.shape, bytes: bytes)
            }
        }
        return copy
    }

    private static func aligned(_ bytes: Int) -> Int { (bytes + 63) / 64 * 64 }
}
