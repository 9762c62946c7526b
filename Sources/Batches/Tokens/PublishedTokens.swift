import FoundationEssentials
public import Kernels
import Platform

/// A token set in the published form: ids in the escape code back to back, the byte where each record begins, and labels as text.
/// Each may be packed with gzip. Source: naver-ai/seit.
public struct PublishedTokens: Sendable {
    public let path: String
    public let count: Int
    /// Nil for a set without labels.
    public let labels: [Int]?
    /// n: side of the grids.
    public let side: Int
    private let data: Bytes
    private let starts: [Int]
    /// Classes that labels may tell apart: all up to the largest get a name.
    private static let classes = 1 << 20

    /// - Parameters:
    ///   - path: of `…data.bin` or `…data.bin.gz`; the index has `index.npy` in its place.
    ///   - labels: a file with one class number for each record; nil where there is none.
    public init(_ path: String, labels labelPath: String?) throws(DataError) {
        guard path.contains("data.bin") else {
            throw DataError(path, found: "another name", expected: "one with data.bin, as the published sets have")
        }
        let indexPath = path.replacing("data.bin", with: "index.npy")
        data = try Self.bytes(path)
        starts = try NumPyFile.integers(Self.bytes(indexPath), path: indexPath)
        count = starts.count - 1
        guard count > 0, starts[0] == 0, starts[count] == data.count,
            zip(starts, starts.dropFirst()).allSatisfy({ $0 < $1 })
        else {
            throw DataError(
                indexPath, found: "\(starts.count) offsets from \(starts.first ?? 0) to \(starts.last ?? 0)",
                expected: "rising ones from 0 to \(data.count), the bytes of \(path)",
                hint: "data or index is cut short, or they belong to different sets")
        }
        if let labelPath {
            let numbers = try Self.classNumbers(labelPath)
            guard numbers.count == count else {
                throw DataError(labelPath, found: "\(numbers.count) labels", expected: "\(count), one for each record")
            }
            labels = numbers
        } else {
            labels = nil
        }
        // The first record tells the grid: an escape byte is no id of its own.
        let first = data[0..<starts[1]]
        let ids = (0..<first.count).count { first[$0] != 255 }
        let side = Int(Double(ids).squareRoot().rounded())
        guard side * side == ids, side > 0 else {
            throw DataError("\(path), record 0", found: "\(ids) ids", expected: "those of a square grid")
        }
        (self.path, self.side) = (path, side)
    }

    /// - Parameter codes: K; larger ids are an error.
    public func read(_ index: Int, codes: Int, into ids: Indices) throws(DataError) {
        let place = "\(path), record \(index)"
        if let fault = EscapeCode.read(data[starts[index]..<starts[index + 1]], into: ids) {
            throw DataError(place, found: fault, hint: "the file is damaged")
        }
        if let wrong = (0..<ids.count).first(where: { Int(ids[$0]) >= codes }) {
            throw DataError(
                place, found: "id \(ids[wrong])", expected: "0 to \(codes - 1), the codebook's",
                hint: "the codebook belongs to another set, or the file is damaged")
        }
    }

    private static func classNumbers(_ path: String) throws(DataError) -> [Int] {
        let bytes = try asDataError { () throws(FileError) in try MappedFile(path).bytes }
        let lines = String(decoding: bytes.array, as: UTF8.self)
            .split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        var numbers: [Int] = []
        for (line, text) in lines.enumerated() where !text.isEmpty {
            guard let number = Int(text.filter { $0 != " " }), (0..<classes).contains(number) else {
                throw DataError(
                    "\(path), line \(line + 1)", found: "'\(text.prefix(40))'",
                    expected: "a class number from 0 to \(classes - 1)")
            }
            numbers.append(number)
        }
        return numbers
    }

    private static func bytes(_ path: String) throws(DataError) -> Bytes {
        if path.hasSuffix(".gz") { return try Gzip.read(path) }
        return try asDataError { () throws(FileError) in try MappedFile(path).bytes }
    }
}

extension TokenSet {
    /// Writes the published form: `PREFIX-token.data.bin.gz`, `PREFIX-token.index.npy.gz`, beside them the codebook, which
    /// NumPy reads, and the synonyms, and `PREFIX-label.txt` where the set has labels.
    /// - Returns: the files, in that order.
    public func writePublished(_ prefix: String) throws -> [String] {
        guard grid.codebook.count <= EscapeCode.codes else {
            throw DataError(
                path, found: "\(grid.codebook.count) codes", expected: "at most \(EscapeCode.codes)",
                hint: "the published form holds no larger ids")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count * grid.count)
        var (starts, labels) = ([Int64](), "")
        let ids = Indices(zeros: grid.count)
        for index in 0..<count {
            try readTokens(index, into: ids)
            starts.append(Int64(bytes.count))
            EscapeCode.append(ids, to: &bytes)
            if let label = label(index) { labels += "\(label)\n" }
        }
        starts.append(Int64(bytes.count))
        var paths = ["-token.data.bin.gz", "-token.index.npy.gz", "-codebook.npy", "-synonyms.json"].map { prefix + $0 }
        try Gzip.write(Bytes(bytes), to: paths[0])
        let index = NumPyFile.file("<i8", [starts.count], Buffer(starts).viewed(as: UInt8.self))
        try Gzip.write(index, to: paths[1])
        let codebook = grid.codebook
        try write(
            NumPyFile.file("<f4", [codebook.count, codebook.width], codebook.rows.viewed(as: UInt8.self)), to: paths[2])
        try write(Bytes(Array(synonymText.utf8)), to: paths[3])
        if classes != nil {
            paths.append(prefix + "-label.txt")
            try write(Bytes(Array(labels.utf8)), to: paths[4])
        }
        return paths
    }

    /// Ids as NumPy reads them: (N, n, n), two bytes each.
    public func writeArray(to path: String) throws {
        let ids = Indices(zeros: grid.count)
        let words = Buffer<UInt16>(zeros: count * grid.count)
        guard grid.codebook.count <= 1 << 16 else {
            throw DataError(path, found: "\(grid.codebook.count) codes", expected: "at most 65536")
        }
        for index in 0..<count {
            try readTokens(index, into: ids)
            for place in 0..<ids.count { words[index * grid.count + place] = UInt16(ids[place]) }
        }
        try write(NumPyFile.file("<u2", [count, grid.side, grid.side], words.viewed(as: UInt8.self)), to: path)
    }

    private var synonymText: String {
        let neighbours = min(TokenEdit.neighbours, grid.codebook.count - 1)
        guard neighbours > 0 else { return "{}\n" }
        let table = neighbours == TokenEdit.neighbours ? grid.synonyms : grid.codebook.synonyms(neighbours)
        let lines = (0..<grid.codebook.count).map { id in
            "\"\(id)\": [" + (0..<neighbours).map { "\(table[id * neighbours + $0])" }.joined(separator: ", ") + "]"
        }
        return "{" + lines.joined(separator: ",\n") + "}\n"
    }

    private func write(_ bytes: Bytes, to path: String) throws(FileError) {
        let file = try OutputFile(replacing: path)
        try file.write(bytes)
        try file.commit()
    }
}
