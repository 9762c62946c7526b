import Kernels

/// The table at the front of a safetensors file, read strictly: what the format forbids is refused, and what is kept
/// in memory is bounded by the size of the table. Written out because a general JSON reader keeps the last of two
/// equal names, rounds large numbers and allocates a tree.
struct SafetensorsHeader {
    struct Entry {
        let name: String
        let kind: TensorKind
        let shape: [Int]
        /// Bytes from the end of the header.
        let range: Range<Int>
    }

    /// 70,000 tensors fit; a longer table comes from a broken or hostile file.
    static let maximumBytes = 8 << 20
    static let maximumRank = 32

    private(set) var metadata: [String: String] = [:]
    private(set) var entries: [Entry] = []
    private(set) var positions: [String: Int] = [:]

    /// - Parameters:
    ///   - bytes: the table, without the 8 bytes of its length.
    ///   - dataBytes: bytes of the file after the table.
    init(_ bytes: Bytes, dataBytes: Int, file: String) throws(CheckpointError) {
        var text = HeaderText(bytes, file: file)
        try text.expect("{")
        var seenMetadata = false
        if !text.take("}") {
            repeat {
                let name = try text.string()
                try text.expect(":")
                if name == "__metadata__" {
                    guard !seenMetadata else { throw text.refusal("two metadata maps", "one") }
                    seenMetadata = true
                    metadata = try Self.readMetadata(&text)
                } else {
                    guard positions.updateValue(entries.count, forKey: name) == nil else {
                        throw text.refusal("two tensors named '\(clipped(name))'", "different names")
                    }
                    entries.append(try Self.readEntry(name, &text, dataBytes: dataBytes))
                }
            } while text.take(",")
            try text.expect("}")
        }
        try text.expectEnd()
        try checkCover(dataBytes: dataBytes, file: file)
    }

    private static func readMetadata(_ text: inout HeaderText) throws(CheckpointError) -> [String: String] {
        var metadata: [String: String] = [:]
        try text.expect("{")
        if text.take("}") { return metadata }
        repeat {
            let key = try text.string()
            try text.expect(":")
            guard metadata.updateValue(try text.string(), forKey: key) == nil else {
                throw text.refusal("metadata key '\(clipped(key))' twice", "different keys")
            }
        } while text.take(",")
        try text.expect("}")
        return metadata
    }

    private static func readEntry(
        _ name: String, _ text: inout HeaderText, dataBytes: Int
    ) throws(CheckpointError) -> Entry {
        var kind: TensorKind?
        var shape: [Int]?
        var offsets: [Int]?
        try text.expect("{")
        repeat {
            let key = try text.string()
            try text.expect(":")
            switch key {
            case "dtype" where kind == nil:
                let code = try text.string()
                kind = TensorKind(rawValue: code)
                guard kind != nil else {
                    throw text.refusal("tensor '\(clipped(name))' of type '\(clipped(code))'", "a known type")
                }
            case "shape" where shape == nil: shape = try text.integers(atMost: maximumRank)
            case "data_offsets" where offsets == nil: offsets = try text.integers(atMost: 2)
            default:
                throw text.refusal(
                    "tensor '\(clipped(name))': key '\(clipped(key))'", "dtype, shape, data_offsets, each once")
            }
        } while text.take(",")
        try text.expect("}")
        guard let kind, let shape, let offsets, offsets.count == 2 else {
            throw text.refusal("tensor '\(clipped(name))' incomplete", "dtype, shape and two data_offsets")
        }
        guard offsets[0] <= offsets[1], offsets[1] <= dataBytes else {
            throw text.refusal(
                "tensor '\(clipped(name))' at bytes \(offsets[0])..<\(offsets[1])", "a range inside 0..<\(dataBytes)")
        }
        guard let wanted = byteCount(shape, kind), wanted == offsets[1] - offsets[0] else {
            throw text.refusal(
                "tensor '\(clipped(name))': shape \(shape) of \(kind.rawValue) in \(offsets[1] - offsets[0]) bytes",
                "as many bytes as the shape needs")
        }
        return Entry(name: name, kind: kind, shape: shape, range: offsets[0]..<offsets[1])
    }

    /// Nil where the product leaves the range of Int.
    private static func byteCount(_ shape: [Int], _ kind: TensorKind) -> Int? {
        var product = kind.elementBytes
        for extent in shape {
            let (next, overflow) = product.multipliedReportingOverflow(by: extent)
            if overflow { return nil }
            product = next
        }
        return product
    }

    /// The format wants every byte of the data in exactly one tensor.
    private func checkCover(dataBytes: Int, file: String) throws(CheckpointError) {
        var end = 0
        let order = entries.indices.sorted {
            let (a, b) = (entries[$0].range, entries[$1].range)
            return (a.lowerBound, a.upperBound) < (b.lowerBound, b.upperBound)
        }
        for index in order {
            let entry = entries[index]
            guard entry.range.lowerBound == end else {
                let fault = entry.range.lowerBound < end ? "overlaps another tensor" : "leaves a hole before it"
                throw CheckpointError(
                    .corrupt, at: file, found: "tensor '\(clipped(entry.name))' \(fault)",
                    expected: "start at byte \(end)")
            }
            end = entry.range.upperBound
        }
        guard end == dataBytes else {
            throw CheckpointError(
                .corrupt, at: file, found: "\(dataBytes) bytes of data", expected: "\(end), the sum of the tensors",
                hint: "the file is cut short, or has bytes that no tensor owns")
        }
    }
}

/// Names from hostile files are shown, but not at any length.
func clipped(_ name: String) -> String { name.utf8.count <= 120 ? name : String(name.prefix(100)) + "…" }
