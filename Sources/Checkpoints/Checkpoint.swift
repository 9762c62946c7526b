import FoundationEssentials
import Kernels
import Platform

/// A saved step: a folder whose manifest is valid.
public struct Checkpoint: Sendable {
    static let stateName = "state.json"

    /// The folder.
    public let path: String
    /// Steps done, as in the folder's name.
    public let step: Int
    /// Checked against the manifest.
    public let state: RunState
    private let manifest: Manifest

    /// Opens a checkpoint folder: manifest, presence and size of every file, state. Tensor bytes are not read yet.
    public init(_ path: String) throws(CheckpointError) {
        self.path = path
        manifest = try Manifest(readingFrom: path)
        step = manifest.step
        for (name, file) in manifest.files.sorted(by: { $0.key < $1.key }) {
            let place = path + "/" + name
            guard let status = FileStatus(place), status.isFile else {
                throw CheckpointError(.corrupt, at: place, found: "missing", expected: "\(file.bytes) bytes")
            }
            guard status.bytes == file.bytes else {
                throw CheckpointError(
                    .corrupt, at: place, found: "\(status.bytes) bytes", expected: "\(file.bytes) bytes")
            }
        }
        state = try Self.readState(path, manifest)
    }

    public func holds(_ part: CheckpointPart) -> Bool { manifest.files[part.fileName] != nil }

    /// The tensors of a part.
    public func open(_ part: CheckpointPart) throws(CheckpointError) -> Safetensors {
        guard holds(part) else {
            throw CheckpointError(
                .mismatched, at: path, found: "no \(part.fileName)", expected: "one with the \(part) tensors")
        }
        return try Safetensors(path + "/" + part.fileName)
    }

    /// The bytes of an attachment, checked; nil where there is none.
    public func attachment(_ name: String) throws(CheckpointError) -> [UInt8]? {
        guard let file = manifest.files[name] else { return nil }
        return try Self.checkedContents(path + "/" + name, file)
    }

    /// Names of all files but the manifest, sorted.
    public var fileNames: [String] { manifest.files.keys.sorted() }

    /// Reads every byte and compares it with the manifest; the error names the file, and the tensor where it can.
    public func verify() throws(CheckpointError) {
        for name in fileNames { try verify(name) { _ in } }
    }

    /// The same for every file, also after a damaged one: what is wrong with each, none for a valid checkpoint.
    /// - Parameter read: told the bytes of each piece that has been read.
    public func damages(read: (Int) -> Void = { _ in }) -> [CheckpointError] {
        fileNames.compactMap { name in
            do throws(CheckpointError) {
                try verify(name, read: read)
                return nil
            } catch { return error }
        }
    }

    /// Bytes of all files but the manifest.
    public var totalBytes: Int { manifest.files.values.reduce(0) { $0 + $1.bytes } }

    /// Bytes of one file.
    public func bytes(of name: String) -> Int? { manifest.files[name]?.bytes }

    private func verify(_ name: String, read: (Int) -> Void) throws(CheckpointError) {
        guard let file = manifest.files[name] else { return }
        let place = path + "/" + name
        let chunk = Bytes(zeros: SafetensorsWriter.chunkBytes)
        var checksum = XXHash64()
        do {
            let input = try InputFile(place)
            while true {
                let part = try input.read(into: chunk)
                if part.count == 0 { break }
                checksum.update(part)
                read(part.count)
            }
        } catch { throw CheckpointError(reading: error) }
        guard hexadecimal(checksum.value) != file.checksum else { return }
        throw damage(place, file, found: checksum.value)
    }

    private func damage(_ place: String, _ file: Manifest.File, found: UInt64) -> CheckpointError {
        let hint =
            file.tensors == nil
            ? "" : (firstDamagedTensor(place, file).map { "tensor '\($0)' is damaged" } ?? "the header is damaged")
        return CheckpointError(
            .corrupt, at: place, found: "checksum " + hexadecimal(found), expected: file.checksum, hint: hint)
    }

    private func firstDamagedTensor(_ place: String, _ file: Manifest.File) -> String? {
        guard let stored = try? Safetensors(place), let checksums = file.tensors else { return nil }
        return stored.tensors.first { checksums[$0.name] != hexadecimal(XXHash64.hash($0.bytes)) }?.name
    }

    private static func readState(_ path: String, _ manifest: Manifest) throws(CheckpointError) -> RunState {
        let place = path + "/" + stateName
        guard let file = manifest.files[stateName] else {
            throw CheckpointError(.corrupt, at: place, found: "not in the manifest", expected: "the state of the run")
        }
        let bytes = try checkedContents(place, file)
        do { return try JSONDecoder().decode(RunState.self, from: Data(bytes)) } catch {
            throw CheckpointError(
                .mismatched, at: place, found: "another layout", expected: "the state of the run", hint: "\(error)")
        }
    }

    private static func checkedContents(_ place: String, _ file: Manifest.File) throws(CheckpointError) -> [UInt8] {
        let bytes: Bytes
        do { bytes = try InputFile.contents(place, limit: 64 << 20) } catch { throw CheckpointError(reading: error) }
        let checksum = hexadecimal(XXHash64.hash(bytes))
        guard checksum == file.checksum else {
            throw CheckpointError(.corrupt, at: place, found: "checksum " + checksum, expected: file.checksum)
        }
        return bytes.array
    }
}
