import FoundationEssentials
public import Kernels
import Platform
public import Recipes

/// Images as grids of token ids in one safetensors file, with the codebook that gives the ids a meaning, labels, class
/// names and a checksum for each record; `lacuna tokenize` writes it. Records are packed bits, see `PackedIDs`.
///
/// Tensors: `tokens` U8 [N, bytes], `codebook` F32 [K, D], `checksums` U32 [N], `synonyms` I32 [K, 5], `labels` I64 [N]
/// where there are any.
public struct TokenSet: DataSource {
    public static let kind = "tokens"

    public struct Settings: RecipeSection {
        public let path: String

        public static let meanings = ["path": "The file that 'lacuna tokenize' wrote."]
    }

    public let name: String
    public let count: Int
    public let classes: [String]?
    public let fingerprint: Fingerprint
    public let grid: TokenGrid
    public let packing: PackedIDs
    public let path: String
    /// Other statements of the file about itself: `image_side`, `tokenizer`, `source`, `source_bytes`.
    public let notes: [String: String]
    private let records, checksums: Bytes
    private let labels: Bytes?

    public init(_ settings: Settings, _ context: SourceContext) throws(DataError) {
        try self.init(settings.path)
        try context.recipe.checkTokens(grid, of: path)
    }

    public init(_ path: String) throws(DataError) {
        let file = try TensorFile(path, wanted: "a token set as 'lacuna tokenize' writes it")
        func number(_ key: String, _ range: ClosedRange<Int>) throws(DataError) -> Int {
            guard let text = file.metadata[key], let value = Int(text), range.contains(value) else {
                throw DataError(
                    path, found: "\(key) '\(file.metadata[key] ?? "missing")'",
                    expected: "a number from \(range.lowerBound) to \(range.upperBound)",
                    hint: "token sets are written by 'lacuna tokenize'")
            }
            return value
        }
        let side = try number("n", 1...4096)
        let codes = try number("K", 1...1 << 24)
        let width = try number("D", 1...1 << 16)
        packing = PackedIDs(count: side * side, codes: codes)
        _ = try number("bits", packing.bits...packing.bits)
        let extents = try file.shape(of: "tokens", .u8)
        count = extents.first ?? 0
        guard count > 0 else { throw DataError(path, found: "no records") }
        records = try file.bytes(of: "tokens", .u8, [count, packing.bytes])
        checksums = try file.bytes(of: "checksums", .u32, [count])
        guard let metric = Codebook.Metric(rawValue: file.metadata["metric"] ?? "") else {
            throw DataError(
                path, found: "metric '\(file.metadata["metric"] ?? "missing")'",
                expected: Codebook.Metric.allCases.map(\.rawValue).joined(separator: ", "))
        }
        let codebook = try Self.codebook(file, codes: codes, width: width, metric)
        grid = TokenGrid(side: side, codebook, synonyms: try Self.synonyms(file, codes: codes))
        let labelled = try Self.labels(file, count: count)
        (labels, classes) = (labelled.numbers, labelled.classes)
        name = file.metadata["name"] ?? path
        (self.path, notes) = (path, file.metadata)
        // The checksums stand for the records, so that opening a large set reads little of it.
        fingerprint = Fingerprint(
            count: count, classes: classes?.count ?? 0,
            hash: XXHash64.hash(words: [
                codebook.hash, XXHash64.hash(checksums), labelled.hash, UInt64(side),
            ]))
    }

    public var tokens: TokenGrid? { grid }
    public func storedBytes(_ index: Int) -> Int? { packing.bytes }
    public func label(_ index: Int) -> Int? { labels.map { Int($0.littleEndian(index, width: 8)) } }
    public func place(_ index: Int) -> String { "\(path), record \(index)" }

    public func readTokens(_ index: Int, into ids: Indices) throws(SampleError) {
        let record = records[index * packing.bytes..<(index + 1) * packing.bytes]
        guard Self.checksum(record, index) == UInt32(checksums.littleEndian(index, width: 4)) else {
            throw SampleError(path: place(index), reason: "damaged: its checksum is another one")
        }
        let largest = packing.unpack(record, into: ids)
        guard largest < grid.codebook.count else {
            throw SampleError(
                path: place(index), reason: "id \(largest), expected 0 to \(grid.codebook.count - 1), the codebook's")
        }
    }

    public func read(_ index: Int, into image: inout Image, using memory: inout ReadMemory) throws(SampleError) {
        throw SampleError(path: path, reason: "holds tokens, expected images")
    }

    /// Checksum of a record's bytes; the record's number enters it, so that exchanged records are found too.
    public static func checksum(_ record: Bytes, _ index: Int) -> UInt32 {
        UInt32(truncatingIfNeeded: XXHash64.hash(record, seed: UInt64(index)))
    }

    private static func codebook(
        _ file: TensorFile, codes: Int, width: Int, _ metric: Codebook.Metric
    ) throws(DataError) -> Codebook {
        let bytes = try file.bytes(of: "codebook", .f32, [codes, width])
        let rows = Floats(zeros: codes * width)
        rows.viewed(as: UInt8.self).copy(from: bytes)
        if let wrong = (0..<rows.count).first(where: { !rows[$0].isFinite }) {
            throw DataError(file.path, found: "\(rows[wrong]) in row \(wrong / width) of the codebook")
        }
        let codebook = Codebook(rows, width: width, metric: metric)
        let stated = file.metadata["codebook"] ?? "missing"
        guard stated == codebook.name else {
            throw DataError(
                file.path, found: "a codebook with the hash \(codebook.name)",
                expected: "\(stated), that of the records", hint: "the codebook does not belong to this set")
        }
        return codebook
    }

    /// Nil where the file has none, or too few codes for as many as an edit takes.
    private static func synonyms(_ file: TensorFile, codes: Int) throws(DataError) -> Indices? {
        let neighbours = TokenEdit.neighbours
        guard codes > neighbours, file.contains("synonyms") else { return nil }
        let bytes = try file.bytes(of: "synonyms", .i32, [codes, neighbours])
        let table = Indices(zeros: codes * neighbours)
        table.viewed(as: UInt8.self).copy(from: bytes)
        if let wrong = (0..<table.count).first(where: { !(0..<codes).contains(Int(table[$0])) }) {
            throw DataError(
                file.path, found: "synonym \(table[wrong]) of code \(wrong / neighbours)",
                expected: "0 to \(codes - 1)")
        }
        return table
    }

    /// The class of each record with the hash of all, which not every file states, and the names of the classes.
    private static func labels(
        _ file: TensorFile, count: Int
    ) throws(DataError) -> (numbers: Bytes?, classes: [String]?, hash: UInt64) {
        guard file.contains("labels") else { return (nil, nil, 0) }
        let labels = try file.bytes(of: "labels", .i64, [count])
        let hash = XXHash64.hash(labels)
        let found = String(hash, radix: 16)
        if let stated = file.metadata["labels"], stated != found {
            throw DataError(
                file.path, found: "labels with the hash \(found)", expected: "\(stated), that of the records",
                hint: "the labels are damaged; get or make the file again")
        }
        let text = file.metadata["classes"] ?? ""
        guard let names = try? JSONDecoder().decode([String].self, from: Data(text.utf8)), !names.isEmpty else {
            throw DataError(file.path, found: "classes '\(text.prefix(60))'", expected: "a list of names")
        }
        for index in 0..<count where labels.littleEndian(index, width: 8) >= UInt64(names.count) {
            throw DataError(
                file.path,
                found: "label \(Int64(bitPattern: labels.littleEndian(index, width: 8))) of record \(index)",
                expected: "0 to \(names.count - 1)")
        }
        return (labels, names, hash)
    }
}
