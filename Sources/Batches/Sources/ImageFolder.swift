import Kernels
import Platform
public import Recipes

/// Images in class folders, read through an index. A file that no longer is what the index says is a bad sample.
public struct ImageFolder: DataSource {
    public static let kind = "folder"

    public struct Settings: RecipeSection {
        public let path: String
        public let index: String

        public static let meanings = [
            "path": "Folder with one folder of images for each class.",
            "index": "The index that 'lacuna data index' wrote.",
        ]
    }

    public let name: String
    public let manifest: Manifest
    private let folder: OpenFolder

    public init(_ settings: Settings, _ context: SourceContext) throws(DataError) {
        try self.init(settings.path, manifest: Manifest(settings.index), tolerance: context.tolerance)
    }

    /// - Parameters:
    ///   - root: the folder the index was built from.
    ///   - tolerance: the share of bad files beyond which the set is refused.
    public init(
        _ root: String, manifest: Manifest, tolerance: Tolerance = Tolerance()
    ) throws(DataError) {
        name = root
        self.manifest = manifest
        folder = try asDataError { () throws(FileError) in try OpenFolder(root) }
        let bad = manifest.bad
        guard manifest.count > 0 else {
            let rest =
                bad.isEmpty ? "" : "; the first of \(bad.count) bad files: \(bad[0].path): \(bad[0].fault.reason)"
            throw DataError(
                root, found: "no image that can be read (\(manifest.ignored) other files)\(rest)",
                expected: "class folders with JPEG or PNG files")
        }
        try tolerance.check(bad: bad.count, of: manifest.count + bad.count, place: root)
        let empty = manifest.emptyClasses
        guard empty.isEmpty else {
            let names = empty.prefix(5).map { "'\($0)'" }.joined(separator: ", ")
            throw DataError(
                root, found: "\(empty.count) classes without an image: \(names)\(empty.count > 5 ? ", …" : "")",
                hint: "remove the folders or fill them, then build the index again")
        }
    }

    public var count: Int { manifest.count }
    public var classes: [String]? { manifest.classes }
    public var fingerprint: Fingerprint { manifest.fingerprint }
    public func label(_ index: Int) -> Int? { manifest.label(index) }
    public func storedBytes(_ index: Int) -> Int? { manifest.sizeBytes(index) }
    public func place(_ index: Int) -> String { name + "/" + readableName(manifest.path(index).array) }

    /// Files that the index calls bad, and those that came after it.
    public func knownFaults() -> (bad: [String], remarks: [String]) {
        let added = (try? manifest.changes(in: name).added) ?? []
        let remark =
            "\(name): \(added.count) files that the index does not know, the first \(added.first ?? ""); "
            + "build it again with 'lacuna data index'"
        return (manifest.bad.map { "\(name)/\($0.path): \($0.fault.reason)" }, added.isEmpty ? [] : [remark])
    }

    public func read(_ index: Int, into image: inout Image, using memory: inout ReadMemory) throws(SampleError) {
        try load(index, using: &memory)
        try image.decode(memory.file.bytes, path: place(index))
    }

    /// The bytes of a sample's file, equal to what the index says.
    func load(_ index: Int, using memory: inout ReadMemory, retries: Int = 5) throws(SampleError) {
        do {
            try memory.file.read(manifest.path(index), in: folder, retries: retries)
        } catch {
            throw SampleError(path: place(index), reason: error.reason)
        }
        let bytes = memory.file.bytes
        guard bytes.count == manifest.sizeBytes(index) else {
            throw SampleError(
                path: place(index),
                reason: "\(bytes.count) bytes, \(manifest.sizeBytes(index)) when the index was built")
        }
        if let checksum = manifest.checksum(index), checksum != XXHash64.hash(bytes) {
            throw SampleError(path: place(index), reason: "changed since the index was built (same size)")
        }
    }
}
