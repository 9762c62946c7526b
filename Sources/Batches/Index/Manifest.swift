public import Kernels
public import Platform

/// The index of a folder of images: the byte-exact paths, sizes, extents, checksums and labels, good files first,
/// then the bad ones with their reason. Sample numbers are positions in it, so that they never depend on the order
/// in which a file system lists its names. Mapped from its file, not read.
public struct Manifest: Sendable {
    /// How much of each file the index knows.
    public enum Depth: Int, Sendable {
        /// Path and size.
        case names
        /// Also width, height, format and checksum, for which every file is read once.
        case contents
    }

    let bytes: Bytes
    let sections: ManifestSections
    private let layout: ManifestLayout
    public let fingerprint: Fingerprint
    public let classes: [String]?

    public init(_ path: String) throws(DataError) {
        let hint = "build it with 'lacuna data index'"
        try self.init(asDataError(hint: hint) { () throws(FileError) in try MappedFile(path).bytes }, path: path)
    }

    /// Whether a file begins as an index does.
    public static func isIndex(_ path: String) throws(FileError) -> Bool {
        let start = try InputFile(path).read(into: Bytes(zeros: 8))
        return start.count == 8 && start.viewed(as: UInt64.self)[0] == ManifestLayout.magic
    }

    init(_ bytes: Bytes, path: String) throws(DataError) {
        layout = try ManifestLayout(checking: bytes, path: path)
        self.bytes = bytes
        let sections = layout.sections(bytes)
        self.sections = sections
        classes = layout.classes == 0 ? nil : (0..<layout.classes).map(sections.className)
        let hash = bytes[0..<ManifestLayout.headerBytes].viewed(as: UInt64.self)[9]
        fingerprint = Fingerprint(count: layout.good, classes: layout.classes, hash: hash)
    }

    /// Good files.
    public var count: Int { layout.good }
    public var depth: Depth { layout.depth == 0 ? .names : .contents }
    /// Files that do not have the name of an image.
    public var ignored: Int { layout.ignored }

    /// Relative to the folder; names are bytes.
    public func path(_ index: Int) -> Bytes {
        precondition(index >= 0 && index < count, "sample outside the index")
        return sections.path(index)
    }

    public func label(_ index: Int) -> Int? { classes == nil ? nil : Int(sections.labels[index]) }
    public func sizeBytes(_ index: Int) -> Int { Int(sections.sizes[index]) }
    /// XXH64 of the file; nil in an index of names.
    public func checksum(_ index: Int) -> UInt64? { depth == .names ? nil : sections.checksums[index] }
    /// Height and width in pixels; nil in an index of names.
    public func extents(_ index: Int) -> (height: Int, width: Int)? {
        depth == .names ? nil : (Int(sections.heights[index]), Int(sections.widths[index]))
    }

    /// A file that is no sample.
    public struct BadFile: Sendable, Equatable {
        /// Ready to print; bytes that are no text appear as `\xNN`.
        public let path: String
        public let fault: FileFault
    }

    public var bad: [BadFile] {
        (layout.good..<layout.entries).map { entry in
            BadFile(
                path: readableName(sections.path(entry).array),
                fault: FileFault(rawValue: sections.faults[entry]) ?? .unknown)
        }
    }

    /// Writes the index whole or not at all.
    public func write(to path: String) throws(DataError) {
        try asDataError { () throws(FileError) in
            let file = try OutputFile(replacing: path)
            try file.write(bytes)
            try file.commit()
        }
    }
}

extension Manifest {
    /// Images in each class, in the order of the class numbers; empty without classes.
    public var classCounts: [Int] {
        var counts = [Int](repeating: 0, count: classes?.count ?? 0)
        if !counts.isEmpty { for index in 0..<count { counts[Int(sections.labels[index])] += 1 } }
        return counts
    }

    public var emptyClasses: [String] {
        zip(classes ?? [], classCounts).filter { $0.1 == 0 }.map(\.0)
    }

    public var totalBytes: Int { (0..<count).reduce(0) { $0 + sizeBytes($1) } }

    /// The output of `lacuna data index`, one fact a line.
    public var summary: [String] {
        var lines = ["\(count) images, \(totalBytes >> 20) MiB, fingerprint \(String(fingerprint.hash, radix: 16))"]
        if let classes {
            let counts = classCounts
            let (least, most) = (counts.min() ?? 0, counts.max() ?? 0)
            lines.append("\(classes.count) classes of \(least) to \(most) images")
            if classes.count == 1 { lines.append("only one class: labels say nothing") }
            if !emptyClasses.isEmpty { lines.append("without an image: \(emptyClasses.joined(separator: ", "))") }
        } else {
            lines.append("no class folders: a set without labels")
        }
        let bad = bad
        lines.append("\(bad.count) bad files, \(ignored) files of other names")
        for fault in FileFault.allCases {
            let number = bad.count { $0.fault == fault }
            if number > 0 { lines.append("  \(number) \(fault.reason)") }
        }
        return lines
    }
}
