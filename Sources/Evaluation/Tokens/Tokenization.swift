public import Batches
import Checkpoints
public import Cluster
import Kernels
import Models
import Objectives
import Platform
import Recipes
import Training

/// Turns a set of images into a token set. The samples are cut into parts of a fixed size, which the ranks share and which a
/// later start finds again; rank 0 makes one file of them.
public struct Tokenization {
    private let tokenizer: TrainedTokenizer
    private let source: any SampleSource
    private let output: String
    private let reference: TokenSet?
    private let communicator: any Communicator

    /// Samples of a part: what an interruption costs at most, and what a rank takes at once.
    public static let partSamples = 512

    /// - Parameters:
    ///   - output: the file to write.
    ///   - reference: the set whose codebook is taken; nil takes the codes that the images use, numbered by falling frequency.
    public init(
        _ tokenizer: TrainedTokenizer, _ source: any SampleSource, to output: String, codebookOf reference: TokenSet?,
        over communicator: any Communicator
    ) {
        (self.tokenizer, self.source, self.output) = (tokenizer, source, output)
        (self.reference, self.communicator) = (reference, communicator)
    }

    private var parts: Int { (source.count + Self.partSamples - 1) / Self.partSamples }
    private var folder: String { output + ".parts" }
    private func samples(of part: Int) -> Range<Int> {
        part * Self.partSamples..<min((part + 1) * Self.partSamples, source.count)
    }
    private func path(of part: Int) -> String { folder + "/part-\(part).safetensors" }

    /// Identifies the tokenizer and set that parts were made of: those of others are refused.
    private var key: String {
        let cut = XXHash64.hash(tokenizer.recipe.evaluationCut)
        return String(XXHash64.hash(words: [tokenizer.hash, source.fingerprint.hash, cut]), radix: 16)
    }

    /// Collective.
    /// - Parameters:
    ///   - takeover: of the parts of a start on another host that has been silent, `RunLock.silenceSeconds`.
    ///   - progress: told the samples of this rank that are done in this start, and those it has to do.
    ///   - shouldStop: asked after every batch; parts that are whole stay.
    /// - Returns: whether the set is whole; false when stopped, on every rank.
    public func run(
        takeover: Bool = false, progress: (Int, Int) -> Void, shouldStop: () -> Bool, say: (String) -> Void
    ) throws -> Bool {
        var lock: RunLock?
        defer { try? lock?.release() }
        try communicator.onRankZero {
            if FileStatus(output) != nil {
                throw DataError(
                    output, found: "a file", expected: "none yet", hint: "remove it, or choose another name")
            }
            lock = try RunLock(folder, takeover: takeover)
        }
        let own = Array(stride(from: communicator.rank, to: parts, by: communicator.size))
        let missing = try communicator.together { try own.filter { try !isThere($0) } }
        let (stops, found) = (Doubles(zeros: 1), Doubles([Double(own.count - missing.count)]))
        try communicator.sum(found)
        if found[0] > 0 { say("\(folder): \(Int(found[0])) of \(parts) parts are there") }
        try communicator.together {
            let total = missing.reduce(0) { $0 + samples(of: $1).count }
            var done = 0
            for part in missing where stops[0] == 0 {
                let isWhole = try make(part) { count in
                    done += count
                    progress(done, total)
                    try lock?.beat()
                    return shouldStop()
                }
                if !isWhole { stops[0] = 1 }
            }
        }
        try communicator.maximum(stops)
        if stops[0] > 0 { return false }
        try communicator.onRankZero {
            try assemble()
            try lock?.release()
            try removePath(folder)
        }
        return true
    }

    /// A part of an earlier start; a damaged one is made again.
    private func isThere(_ part: Int) throws -> Bool {
        guard FileStatus(path(of: part)) != nil else { return false }
        guard let file = try? Safetensors(path(of: part)), let ids = try? file.tensor("ids") else { return false }
        guard file.metadata["key"] == key else {
            throw DataError(
                path(of: part), found: "a part of another tokenizer or set", expected: "one of this",
                hint: "remove the folder \(folder), or choose another --output")
        }
        return file.metadata["checksum"] == String(XXHash64.hash(ids.bytes), radix: 16)
            && ids.shape == [samples(of: part).count, tokenizer.side * tokenizer.side]
    }

    /// - Parameter step: told the samples of each batch; true stops.
    /// - Returns: false when stopped.
    private func make(_ part: Int, _ step: (Int) throws -> Bool) throws -> Bool {
        let range = samples(of: part)
        let count = tokenizer.side * tokenizer.side
        let ids = Indices(zeros: range.count * count)
        var filled = 0
        try tokenizer.forEachBatch(of: Subset(source, Array(range), part: "part \(part)")) { batch, found, _, stop in
            for place in 0..<batch.count * count { ids[filled * count + place] = Int32(found[place]) }
            filled += batch.count
            stop = try step(batch.count)
        }
        if filled < range.count { return false }
        let bytes = ids.viewed(as: UInt8.self)
        try Safetensors.write(
            [StoredTensor(name: "ids", kind: .i32, shape: [range.count, count], bytes: bytes)],
            metadata: ["key": key, "checksum": String(XXHash64.hash(bytes), radix: 16)], to: path(of: part))
        return true
    }

    private func forEachRecord(_ body: (_ index: Int, _ ids: Buffer<Int32>) -> Void) throws {
        let count = tokenizer.side * tokenizer.side
        for part in 0..<parts {
            let bytes = try Safetensors(path(of: part)).tensor("ids").bytes.viewed(as: Int32.self)
            for (row, index) in samples(of: part).enumerated() { body(index, bytes[row * count..<(row + 1) * count]) }
        }
    }

    private func assemble() throws {
        let width = tokenizer.width
        var counts = [Int](repeating: 0, count: tokenizer.codes.count / width)
        try forEachRecord { _, ids in for place in 0..<ids.count { counts[Int(ids[place])] += 1 } }
        let table = try CodeTable(tokenizer, counts: counts, reference)
        var form = TokenSetFile(side: tokenizer.side, codebook: table.codebook, count: source.count)
        form.name = source.name + " tokens"
        (form.classes, form.counts) = (source.classes, table.counts)
        form.notes = [
            "image_side": "\(tokenizer.recipe.images.size)", "tokenizer": String(tokenizer.hash, radix: 16),
            "scale": "\(table.scale)", "source": "\(source.fingerprint)",
            "source_bytes": source.totalStoredBytes.map(String.init) ?? "",
        ]
        let renumbered = Indices(zeros: tokenizer.side * tokenizer.side)
        try forEachRecord { index, ids in
            for place in 0..<ids.count { renumbered[place] = table.numbers[Int(ids[place])] }
            form.set(index, renumbered, label: source.label(index))
        }
        try form.write(to: output)
    }
}

/// From the numbers of the quantiser's codes to those of a token set.
struct CodeTable {
    let codebook: Codebook
    /// The set's number for each of the quantiser's.
    let numbers: [Int32]
    /// How often each code of the set is used.
    let counts: [Int]
    /// Rows of the set's codebook over the quantiser's codes.
    let scale: Double

    /// - Parameter reference: the set whose codebook is taken; a code that it has not becomes the nearest that it has.
    init(_ tokenizer: TrainedTokenizer, counts: [Int], _ reference: TokenSet?) throws(DataError) {
        let (codes, width) = (tokenizer.codes, tokenizer.width)
        let (codebook, scale): (Codebook, Double)
        var numbers = [Int32](repeating: -1, count: counts.count)
        if let reference {
            codebook = reference.grid.codebook
            guard reference.notes["tokenizer"] == String(tokenizer.hash, radix: 16), codebook.width == width else {
                throw DataError(
                    reference.path, found: "the codebook of tokenizer \(reference.notes["tokenizer"] ?? "unknown")",
                    expected: "that of \(String(tokenizer.hash, radix: 16))",
                    hint: "take a set that this tokenizer made")
            }
            scale = reference.notes["scale"].flatMap(Double.init) ?? 1
            for code in 0..<counts.count {
                let row = codes[code * width..<(code + 1) * width].array.map { Float(Double($0) * scale) }
                numbers[code] = Int32(codebook.nearest(to: Floats(row)))
            }
        } else {
            let used = counts.indices.filter { counts[$0] > 0 }.sorted { (-counts[$0], $0) < (-counts[$1], $1) }
            for (number, code) in used.enumerated() { numbers[code] = Int32(number) }
            let rows = Floats(used.flatMap { codes[$0 * width..<($0 + 1) * width].array })
            // Unit rows to root mean square 1 each; of other codebooks the lengths of rows mean something.
            let squares = (0..<rows.count).reduce(0.0) { $0 + Double(rows[$1]) * Double(rows[$1]) }
            scale = (Double(rows.count) / max(squares, 1e-12)).squareRoot()
            for place in 0..<rows.count { rows[place] = Float(Double(rows[place]) * scale) }
            codebook = Codebook(rows, width: width, metric: tokenizer.metric)
        }
        var own = [Int](repeating: 0, count: codebook.count)
        for (code, count) in counts.enumerated() where count > 0 { own[Int(numbers[code])] += count }
        (self.codebook, self.numbers, self.counts, self.scale) = (codebook, numbers, own, scale)
    }
}
