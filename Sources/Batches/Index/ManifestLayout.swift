import Kernels
import Platform

/// Where everything lies in the bytes of an index: a header of 16 words, then arrays that start at multiples of 8
/// bytes. Little-endian, like every machine this runs on.
struct ManifestLayout: Equatable {
    var good = 0
    var entries = 0
    var classes = 0
    var pathBytes = 0
    var classBytes = 0
    var ignored = 0
    var depth = 0

    static let headerWords = 16
    static let headerBytes = 8 * headerWords
    /// The letters LACUNAIX.
    static let magic: UInt64 = 0x5849_414E_5543_414C
    static let version: UInt64 = 1

    private var sizes: [Int] {
        [
            8 * (entries + 1), 8 * entries, 8 * entries, 4 * entries, 4 * entries, 4 * entries, entries, pathBytes,
            8 * (classes + 1), classBytes,
        ]
    }

    var totalBytes: Int { sizes.reduce(Self.headerBytes) { $0 + ($1 + 7) / 8 * 8 } }

    /// The arrays as slices of the same memory.
    func sections(_ bytes: Bytes) -> ManifestSections {
        var at = Self.headerBytes
        let parts = sizes.map { size in
            defer { at += (size + 7) / 8 * 8 }
            return bytes[at..<at + size]
        }
        return ManifestSections(
            pathStarts: parts[0].viewed(as: UInt64.self), sizes: parts[1].viewed(as: UInt64.self),
            checksums: parts[2].viewed(as: UInt64.self), labels: parts[3].viewed(as: Int32.self),
            widths: parts[4].viewed(as: Int32.self), heights: parts[5].viewed(as: Int32.self), faults: parts[6],
            paths: parts[7], classStarts: parts[8].viewed(as: UInt64.self), classNames: parts[9])
    }
}

struct ManifestSections: Sendable {
    /// `entries` + 1 offsets into `paths`.
    let pathStarts: Buffer<UInt64>
    let sizes, checksums: Buffer<UInt64>
    /// -1 without classes.
    let labels: Indices
    /// 0 where the header was not read.
    let widths, heights: Indices
    let faults: Bytes
    let paths: Bytes
    let classStarts: Buffer<UInt64>
    let classNames: Bytes

    func path(_ entry: Int) -> Bytes { paths[Int(pathStarts[entry])..<Int(pathStarts[entry + 1])] }

    func className(_ number: Int) -> String {
        readableName(classNames[Int(classStarts[number])..<Int(classStarts[number + 1])].array)
    }
}

extension ManifestLayout {
    func write(header: Buffer<UInt64>, fingerprint: UInt64, content: UInt64) {
        let words = [good, entries, classes, pathBytes, classBytes, ignored, depth].map(UInt64.init)
        header[0] = Self.magic
        header[1] = Self.version
        for (at, word) in words.enumerated() { header[2 + at] = word }
        header[9] = fingerprint
        header[10] = content
        header[15] = XXHash64.hash(words: header[0..<15].array)
    }

    /// Refuses anything but a whole, undamaged index.
    init(checking bytes: Bytes, path: String) throws(DataError) {
        let hint = "build it again with 'lacuna data index'"
        guard bytes.count >= Self.headerBytes else {
            throw DataError(path, found: "\(bytes.count) bytes", expected: "an index", hint: hint)
        }
        let header = bytes[0..<Self.headerBytes].viewed(as: UInt64.self)
        guard header[0] == Self.magic else { throw DataError(path, found: "no index of images", hint: hint) }
        guard header[1] == Self.version else {
            throw DataError(path, found: "format \(header[1])", expected: "format \(Self.version)", hint: hint)
        }
        let bound = UInt64(bytes.count)
        guard header[15] == XXHash64.hash(words: header[0..<15].array),
            (2..<9).allSatisfy({ $0 == 7 || header[$0] <= bound })
        else { throw DataError(path, found: "a damaged header", hint: hint) }
        (good, entries, classes) = (Int(header[2]), Int(header[3]), Int(header[4]))
        (pathBytes, classBytes, ignored, depth) = (
            Int(header[5]), Int(header[6]), Int(truncatingIfNeeded: header[7]), Int(header[8])
        )
        guard good <= entries, totalBytes == bytes.count else {
            throw DataError(path, found: "\(bytes.count) bytes", expected: "\(totalBytes)", hint: hint)
        }
        guard XXHash64.hash(bytes[Self.headerBytes..<bytes.count]) == header[10] else {
            throw DataError(path, found: "content that does not match its checksum", hint: hint)
        }
        // After the checksum only a forged file can still be inconsistent.
        let sections = sections(bytes)
        guard Self.rises(sections.pathStarts, to: pathBytes), Self.rises(sections.classStarts, to: classBytes),
            (0..<entries).allSatisfy({ Int(sections.labels[$0]) < max(classes, 1) })
        else { throw DataError(path, found: "offsets or labels out of order", hint: hint) }
    }

    private static func rises(_ starts: Buffer<UInt64>, to end: Int) -> Bool {
        starts[0] == 0 && starts[starts.count - 1] == UInt64(end)
            && (1..<starts.count).allSatisfy { starts[$0 - 1] <= starts[$0] }
    }
}
