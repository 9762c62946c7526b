import Kernels
public import Messages
import Platform

extension Safetensors {
    /// Writes a file that appears under its name only when it is whole.
    public static func write(
        _ tensors: [StoredTensor], metadata: [String: String] = [:], to path: String
    ) throws(CheckpointError) {
        do {
            let file = try OutputFile(replacing: path)
            _ = try SafetensorsWriter(tensors, metadata: metadata, path: path).write(to: file)
            try file.commit()
        } catch { throw CheckpointError(saving: error, at: path) }
    }
}

/// Lays out a file and streams it: the header lists the tensors by name; the data goes from wide to narrow elements, so
/// that every tensor is aligned for its type although the format allows no gaps.
struct SafetensorsWriter {
    /// Sizes and checksums of the written file, for the manifest.
    struct Written {
        var bytes = 0
        var checksum = XXHash64()
        var tensors: [String: XXHash64] = [:]
    }

    /// Small enough to stay in the cache between the hash and the system call, large enough for few calls.
    static let chunkBytes = 1 << 20

    private let header: [UInt8]
    private let order: [StoredTensor]

    init(_ tensors: [StoredTensor], metadata: [String: String], path: String) throws(CheckpointError) {
        let sorted = tensors.sorted { $0.name < $1.name }
        for (one, next) in zip(sorted, sorted.dropFirst()) where one.name == next.name {
            throw CheckpointError(
                .mismatched, at: path, found: "two tensors named '\(one.name)'", expected: "different names")
        }
        order = sorted.sorted { ($1.kind.elementBytes, $0.name) < ($0.kind.elementBytes, $1.name) }
        var starts: [String: Int] = [:]
        var end = 0
        for tensor in order {
            starts[tensor.name] = end
            end += tensor.bytes.count
        }
        var members = sorted.map { tensor in
            let start = starts[tensor.name] ?? 0
            return "\(JSON.quoted(tensor.name)):{\"dtype\":\"\(tensor.kind.rawValue)\",\"shape\":"
                + "[\(tensor.shape.map(String.init).joined(separator: ","))],"
                + "\"data_offsets\":[\(start),\(start + tensor.bytes.count)]}"
        }
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key < $1.key }.map { JSON.quoted($0.key) + ":" + JSON.quoted($0.value) }
            members.insert("\"__metadata__\":{" + pairs.joined(separator: ",") + "}", at: 0)
        }
        var text = Array(("{" + members.joined(separator: ",") + "}").utf8)
        text += [UInt8](repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
        guard text.count <= SafetensorsHeader.maximumBytes else {
            throw CheckpointError(
                .mismatched, at: path, found: "a header of \(text.count) bytes",
                expected: "at most \(SafetensorsHeader.maximumBytes)")
        }
        header = (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) } + text
    }

    func write(to file: OutputFile) throws(FileError) -> Written {
        var written = Written()
        let start = Bytes(header)
        written.checksum.update(start)
        try file.write(start)
        written.bytes = start.count
        for tensor in order {
            var checksum = XXHash64()
            for start in stride(from: 0, to: tensor.bytes.count, by: Self.chunkBytes) {
                let chunk = tensor.bytes[start..<min(start + Self.chunkBytes, tensor.bytes.count)]
                checksum.update(chunk)
                written.checksum.update(chunk)
                try file.write(chunk)
            }
            written.bytes += tensor.bytes.count
            written.tensors[tensor.name] = checksum
        }
        return written
    }
}
