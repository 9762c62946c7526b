import Kernels
import Platform

/// Every file with the name of an image below a folder, class by class, in the order of the bytes of their paths.
/// Opens one folder at a time and no file, so that neither depth nor a FIFO can hold it up.
struct FolderWalk: Sendable {
    /// Byte-exact names of the class folders; nil where the root holds images and no folder.
    private(set) var classes: [[UInt8]]?
    /// All paths one after the other, relative to the root; entry i is `starts[i]..<starts[i + 1]`.
    private(set) var paths: [UInt8] = []
    private(set) var starts = [0]
    private(set) var sizes: [Int] = []
    private(set) var labels: [Int32] = []
    private(set) var faults: [FileFault] = []
    /// Files of other names.
    private(set) var ignored = 0

    var count: Int { sizes.count }

    init(_ root: OpenFolder) throws(FileError) {
        let top = try root.entries()
        let folders = top.filter { entry in
            (entry.kind == .folder || entry.kind == .linkedFolder) && !entry.name.starts(with: [UInt8(ascii: ".")])
        }
        guard !folders.isEmpty else {
            for entry in top { take(entry, below: [], label: -1) }
            return
        }
        ignored = top.count - folders.count
        classes = folders.map(\.name)
        for (label, folder) in folders.enumerated() { try walk(folder.name, in: root, label: Int32(label)) }
    }

    private mutating func walk(_ folder: [UInt8], in root: OpenFolder, label: Int32) throws(FileError) {
        var pending = [folder]
        while let path = pending.popLast() {
            var inner: [[UInt8]] = []
            for entry in try OpenFolder(below: root, Bytes(path)).entries() {
                if entry.kind == .folder, !isImageName(entry.name) {
                    inner.append(path + [UInt8(ascii: "/")] + entry.name)
                } else {
                    take(entry, below: path, label: label)
                }
            }
            pending += inner.reversed()
        }
    }

    private mutating func take(_ entry: OpenFolder.Entry, below path: [UInt8], label: Int32) {
        guard isImageName(entry.name) else {
            ignored += 1
            return
        }
        var size = 0
        let fault: FileFault =
            switch entry.kind {
            case .file(let bytes):
                bytes == 0 ? .empty : .none
            case .folder, .linkedFolder: .folder
            case .dangling: .dangling
            case .special: .special
            case .hidden: .unreadable
            }
        if case .file(let bytes) = entry.kind { size = bytes }
        if !path.isEmpty { paths += path + [UInt8(ascii: "/")] }
        paths += entry.name
        starts.append(paths.count)
        sizes.append(size)
        labels.append(label)
        faults.append(fault)
    }

    /// Names of images, also of formats that are then refused with their reason. Hidden files are none.
    private func isImageName(_ name: [UInt8]) -> Bool {
        guard name.first != UInt8(ascii: "."), let dot = name.lastIndex(of: UInt8(ascii: ".")) else { return false }
        let ending = name[(dot + 1)...].map { (65...90).contains($0) ? $0 + 32 : $0 }
        return Self.endings.contains { $0.elementsEqual(ending) }
    }

    private static let endings = [
        "jpg", "jpeg", "jpe", "jfif", "png", "gif", "webp", "bmp", "tif", "tiff", "ppm", "pgm",
    ].map { Array($0.utf8) }
}
