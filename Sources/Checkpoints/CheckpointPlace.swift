import Platform

/// Checkpoints that a path names: a run folder, its folder `checkpoints`, or the folder of one step.
public struct CheckpointPlace: Sendable, Equatable {
    /// The folders of the steps, ascending; never empty.
    public let folders: [String]
    /// The run that they belong to, as far as the path tells.
    public let run: String?
    /// The path names one step.
    public let isStep: Bool

    public init(_ path: String) throws(CheckpointError) {
        let expected = "a run folder, its folder checkpoints, or the folder of one step"
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        guard let status = FileStatus(path, followingLinks: true) else {
            throw CheckpointError(.unreadable, at: path, found: "no such file or folder", expected: expected)
        }
        guard status.isFolder else {
            throw CheckpointError(.mismatched, at: path, found: "a file", expected: expected)
        }
        isStep = FileStatus(path + "/" + Manifest.name) != nil || Self.name(path).hasPrefix("step-")
        let inner = path + "/checkpoints"
        if isStep {
            folders = [path]
            run = Self.run(holding: Self.parent(path))
        } else if FileStatus(inner, followingLinks: true)?.isFolder == true {
            folders = try CheckpointStore(inner).folders()
            run = path
        } else {
            folders = try CheckpointStore(path).folders()
            run = Self.run(holding: path)
        }
        guard !folders.isEmpty else {
            throw CheckpointError(.mismatched, at: path, found: "no checkpoint in it", expected: expected)
        }
    }

    /// The newest valid checkpoint, or the one that the path names. Damaged ones that are skipped are reported.
    public func newestValid(rejected: (CheckpointError) -> Void = { _ in }) throws(CheckpointError) -> Checkpoint {
        for (left, folder) in folders.enumerated().reversed() {
            do throws(CheckpointError) {
                let checkpoint = try Checkpoint(folder)
                try checkpoint.verify()
                return checkpoint
            } catch {
                if left == 0 { throw error }
                rejected(error)
            }
        }
        preconditionFailure("a place has at least one folder")
    }

    private static func run(holding checkpoints: String) -> String? {
        name(checkpoints) == "checkpoints" ? parent(checkpoints) : nil
    }

    private static func name(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

    private static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
