public import Kernels
import Platform

/// A safetensors file, mapped and checked: 8 bytes of header length, a JSON table, the tensors without gaps.
/// Source: github.com/huggingface/safetensors, README "Format".
public struct Safetensors: Sendable {
    public let path: String
    /// The free string map of the header.
    public let metadata: [String: String]
    /// In the order of the header.
    public let names: [String]
    private let header: SafetensorsHeader
    private let data: Bytes

    public init(_ path: String) throws(CheckpointError) {
        let file: MappedFile
        do { file = try MappedFile(path) } catch { throw CheckpointError(reading: error) }
        try self.init(file.bytes, path: path)
    }

    /// A file that is already in memory; `path` is only its name in messages.
    public init(_ bytes: Bytes, path: String) throws(CheckpointError) {
        guard bytes.count >= 8 else {
            throw CheckpointError(.corrupt, at: path, found: "\(bytes.count) bytes", expected: "a safetensors file")
        }
        let length = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[$1]) << (8 * UInt64($1)) }
        guard length <= SafetensorsHeader.maximumBytes, Int(length) <= bytes.count - 8 else {
            throw CheckpointError(
                .corrupt, at: path, found: "a header of \(length) bytes in a file of \(bytes.count)",
                expected: "at most \(SafetensorsHeader.maximumBytes), inside the file",
                hint: "no safetensors file, or cut short")
        }
        let data = bytes[8 + Int(length)..<bytes.count]
        header = try SafetensorsHeader(bytes[8..<8 + Int(length)], dataBytes: data.count, file: path)
        metadata = header.metadata
        names = header.entries.map(\.name)
        self.data = data
        self.path = path
    }

    public func contains(_ name: String) -> Bool { header.positions[name] != nil }

    /// Nothing is read before the bytes are touched.
    public func tensor(_ name: String) throws(CheckpointError) -> StoredTensor {
        guard let position = header.positions[name] else {
            throw CheckpointError(
                .mismatched, at: path, found: "no tensor '\(name)'", expected: "one of \(names.count) others")
        }
        return tensor(at: position)
    }

    /// All tensors, in the order of the header.
    public var tensors: [StoredTensor] { header.entries.indices.map(tensor(at:)) }

    private func tensor(at position: Int) -> StoredTensor {
        let entry = header.entries[position]
        return StoredTensor(name: entry.name, kind: entry.kind, shape: entry.shape, bytes: data[entry.range])
    }
}
