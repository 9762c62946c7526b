import Kernels
import Platform

extension Manifest {
    /// Walks the folder and makes its index. Folders below `root` are the classes, links to folders among them; a
    /// root without folders is a set without labels. Deeper, links to folders are not followed: they may lead in a circle.
    /// - Parameters:
    ///   - threads: readers of file contents, which mostly wait for the disk.
    ///   - progress: called with files done and files in all, from any thread.
    public static func build(
        _ root: String, depth: Depth = .contents, threads: Int = 4,
        progress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }
    ) throws(DataError) -> Manifest {
        let folder = try asDataError { () throws(FileError) in try OpenFolder(root) }
        let walk = try asDataError { () throws(FileError) in try FolderWalk(folder) }
        let facts = FileFacts(walk)
        if depth == .contents { facts.read(walk, in: folder, threads: threads, progress: progress) }
        return try Manifest(bytes(walk, facts, depth), path: root)
    }

    private static func bytes(_ walk: FolderWalk, _ facts: FileFacts, _ depth: Depth) -> Bytes {
        let count = walk.count
        let good = (0..<count).filter { facts.faults[$0] == 0 }
        let bad = (0..<count).filter { facts.faults[$0] != 0 }
        let layout = ManifestLayout(
            good: good.count, entries: count, classes: walk.classes?.count ?? 0, pathBytes: walk.paths.count,
            classBytes: walk.classes?.reduce(0) { $0 + $1.count } ?? 0, ignored: walk.ignored, depth: depth.rawValue)
        let bytes = Bytes(zeros: layout.totalBytes)
        let to = layout.sections(bytes)
        var at = 0
        for (entry, from) in [good, bad].joined().enumerated() {
            let range = walk.starts[from]..<walk.starts[from + 1]
            to.pathStarts[entry] = UInt64(at)
            to.paths[at..<at + range.count].copy(from: Array(walk.paths[range]))
            at += range.count
            to.sizes[entry] = UInt64(facts.sizes[from])
            to.checksums[entry] = facts.checksums[from]
            to.labels[entry] = walk.labels[from]
            to.widths[entry] = facts.widths[from]
            to.heights[entry] = facts.heights[from]
            to.faults[entry] = facts.faults[from]
        }
        to.pathStarts[count] = UInt64(at)
        at = 0
        for (number, name) in (walk.classes ?? []).enumerated() {
            to.classStarts[number] = UInt64(at)
            to.classNames[at..<at + name.count].copy(from: name)
            at += name.count
        }
        to.classStarts[layout.classes] = UInt64(at)
        let content = XXHash64.hash(bytes[ManifestLayout.headerBytes..<bytes.count])
        let header = bytes[0..<ManifestLayout.headerBytes].viewed(as: UInt64.self)
        layout.write(header: header, fingerprint: fingerprint(to, good: good.count), content: content)
        return bytes
    }

    /// Over the good files only: a bad file that is removed changes no sample.
    private static func fingerprint(_ sections: ManifestSections, good: Int) -> UInt64 {
        func hash<Element>(_ buffer: Buffer<Element>) -> UInt64 { XXHash64.hash(buffer.viewed(as: UInt8.self)) }
        return XXHash64.hash(words: [
            hash(sections.pathStarts[0..<good + 1]), hash(sections.paths[0..<Int(sections.pathStarts[good])]),
            hash(sections.sizes[0..<good]), hash(sections.checksums[0..<good]), hash(sections.labels[0..<good]),
            hash(sections.classNames),
        ])
    }
}

/// Facts of each file of a walk, in the walk's order. Readers fill disjoint places.
private struct FileFacts: Sendable {
    let sizes: [Int]
    let checksums: Buffer<UInt64>
    let widths, heights: Indices
    let faults: Bytes

    init(_ walk: FolderWalk) {
        sizes = walk.sizes
        checksums = Buffer(zeros: walk.count)
        widths = Indices(zeros: walk.count)
        heights = Indices(zeros: walk.count)
        faults = Bytes(walk.faults.map(\.rawValue))
    }

    func read(
        _ walk: FolderWalk, in folder: OpenFolder, threads: Int, progress: @escaping @Sendable (Int, Int) -> Void
    ) {
        let paths = Bytes(walk.paths)
        let next = Monitor(0)
        let portion = 64
        let readers = (0..<max(1, threads)).map { number in
            Thread("index \(number)") {
                var file = FileBuffer()
                while true {
                    let first = next.update { next in
                        defer { next = min(next + portion, walk.count) }
                        return next
                    }
                    if first == walk.count { return }
                    let last = min(first + portion, walk.count)
                    for entry in first..<last where faults[entry] == 0 {
                        read(entry, paths[walk.starts[entry]..<walk.starts[entry + 1]], in: folder, &file)
                    }
                    progress(last, walk.count)
                }
            }
        }
        for reader in readers { reader.join() }
    }

    private func read(_ entry: Int, _ path: Bytes, in folder: OpenFolder, _ file: inout FileBuffer) {
        do {
            try file.read(path, in: folder)
        } catch {
            faults[entry] = (error.isTooLarge ? FileFault.tooLarge : .unreadable).rawValue
            return
        }
        checksums[entry] = XXHash64.hash(file.bytes)
        let kind = FileKind(file.bytes)
        do {
            if kind == .png && !FileKind.isNamedJPEG(readableName(path.array)) {
                let header = try PNGFile(file.bytes).header
                (widths[entry], heights[entry]) = (Int32(clamping: header.width), Int32(clamping: header.height))
            } else if kind == .jpeg {
                let header = try JPEGDecoder.header(of: file.bytes, path: "")
                (widths[entry], heights[entry]) = (Int32(header.width), Int32(header.height))
            } else {
                faults[entry] = FileFault(kind).rawValue
            }
        } catch {
            faults[entry] = FileFault.brokenHeader.rawValue
        }
    }
}
