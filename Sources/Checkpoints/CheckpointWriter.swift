import Kernels
import Platform

/// Writes one checkpoint so that a kill at any moment leaves the old state or the new one:
/// files into `step-….tmp`, each flushed; the manifest; the folder flushed; the rename; the folder above flushed.
struct CheckpointWriter {
    let folder: Folder
    let content: CheckpointContent

    /// - Returns: bytes written.
    func write() throws(CheckpointError) -> Int {
        let name = CheckpointStore.folderName(content.state.iteration)
        let temporary = Folder(folder.path(of: name + CheckpointStore.temporarySuffix))
        do {
            try folder.create()
            try removePath(temporary.path)
            try temporary.create()
        } catch { throw CheckpointError(writing: error) }
        do {
            let bytes = try fill(temporary)
            try publish(temporary, as: name)
            return bytes
        } catch {
            // The first error is the one to tell; what cannot be removed now is junk for the next start.
            try? removePath(temporary.path)
            throw CheckpointError(saving: error, at: temporary.path)
        }
    }

    private func fill(_ temporary: Folder) throws -> Int {
        var files: [String: Manifest.File] = [:]
        for part in CheckpointPart.allCases {
            guard let tensors = content.tensors[part], !tensors.isEmpty else { continue }
            let path = temporary.path(of: part.fileName)
            // `format: pt` is what readers of the PyTorch world ask for.
            let metadata = ["format": "pt", "step": String(content.state.iteration)]
            let writer = try SafetensorsWriter(tensors, metadata: metadata, path: path)
            let file = try OutputFile(creating: path)
            let written = try writer.write(to: file)
            try file.commit()
            files[part.fileName] = Manifest.File(
                bytes: written.bytes, checksum: hexadecimal(written.checksum.value),
                tensors: written.tensors.mapValues { hexadecimal($0.value) })
        }
        var small = content.attachments
        small[Checkpoint.stateName] = try encoded(content.state)
        for (name, bytes) in small.sorted(by: { $0.key < $1.key }) {
            precondition(files[name] == nil && name != Manifest.name && !name.contains("/"), "attachment name \(name)")
            try writeSmall(bytes, temporary.path(of: name))
            files[name] = Manifest.File(bytes: bytes.count, checksum: hexadecimal(XXHash64.hash(.init(bytes))))
        }
        let manifest = Manifest(step: content.state.iteration, library: content.state.library, files: files)
        let sealed = try manifest.sealed()
        try writeSmall(sealed, temporary.path(of: Manifest.name))
        try temporary.flush()
        return files.values.reduce(sealed.count) { $0 + $1.bytes }
    }

    private func writeSmall(_ bytes: [UInt8], _ path: String) throws(FileError) {
        let file = try OutputFile(creating: path)
        try file.write(bytes)
        try file.commit()
    }

    /// A folder cannot replace a full one. An older save of the same step steps aside, under a name that the store
    /// still reads, until the new one has its place.
    private func publish(_ temporary: Folder, as name: String) throws(FileError) {
        let final = folder.path(of: name)
        let aside = final + CheckpointStore.asideSuffix
        if FileStatus(final) != nil {
            try removePath(aside)
            try renamePath(final, to: aside)
        }
        try renamePath(temporary.path, to: final)
        try folder.flush()
        try? removePath(aside)
    }
}

/// The files of a checkpoint that hold tensors.
public enum CheckpointPart: String, Sendable, CaseIterable {
    /// Parameters and buffers under the reference's names.
    case model
    /// `optim/exp_avg/<parameter>` and the like, never cut by ranks.
    case optimizer
    /// `ema/<name>`: EMA weights.
    case average = "ema"
    /// State that an objective keeps between steps: `elr/target`.
    case objective

    var fileName: String { rawValue + ".safetensors" }
}

/// Content of a checkpoint to be saved. The tensors are views: nothing may change them before the save returns.
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
