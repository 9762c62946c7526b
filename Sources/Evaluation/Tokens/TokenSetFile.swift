import Batches
import Checkpoints
import FoundationEssentials
import Kernels
import Messages
import Platform

/// The file of a token set in the making: records are set one after the other, then all is written at once.
struct TokenSetFile {
    var name = ""
    var classes: [String]?
    /// How often each code is used.
    var counts: [Int] = []
    /// (K, `TokenEdit.neighbours`); nil takes the nearest codes.
    var synonyms: Indices?
    /// Further metadata of the file.
    var notes: [String: String] = [:]
    private let side: Int
    private let codebook: Codebook
    private let packing: PackedIDs
    private let records: Bytes
    private let checksums: Buffer<UInt32>
    private let labels: Buffer<Int64>

    init(side: Int, codebook: Codebook, count: Int) {
        (self.side, self.codebook) = (side, codebook)
        packing = PackedIDs(count: side * side, codes: codebook.count)
        (records, checksums) = (Bytes(zeros: count * packing.bytes), Buffer(zeros: count))
        labels = Buffer(zeros: count)
    }

    func set(_ index: Int, _ ids: Indices, label: Int?) {
        let record = records[index * packing.bytes..<(index + 1) * packing.bytes]
        packing.pack(ids, into: record)
        checksums[index] = TokenSet.checksum(record, index)
        labels[index] = Int64(label ?? 0)
    }

    func write(to path: String) throws(CheckpointError) {
        let (K, D, N) = (codebook.count, codebook.width, checksums.count)
        var tensors = [
            StoredTensor(name: "tokens", kind: .u8, shape: [N, packing.bytes], bytes: records),
            StoredTensor(name: "checksums", kind: .u32, shape: [N], bytes: checksums.viewed(as: UInt8.self)),
            StoredTensor("codebook", [K, D], codebook.rows),
            StoredTensor("counts", [K], integers: counts),
        ]
        var metadata = notes
        if let classes {
            let bytes = labels.viewed(as: UInt8.self)
            tensors.append(StoredTensor(name: "labels", kind: .i64, shape: [N], bytes: bytes))
            metadata["labels"] = String(XXHash64.hash(bytes), radix: 16)
            metadata["classes"] = (try? JSON.encoded(classes)).map { String(decoding: $0, as: UTF8.self) }
        }
        let neighbours = min(TokenEdit.neighbours, K - 1)
        if neighbours > 0 {
            let table = synonyms ?? codebook.synonyms(neighbours)
            tensors.append(
                StoredTensor(
                    name: "synonyms", kind: .i32, shape: [K, neighbours], bytes: table.viewed(as: UInt8.self)))
        }
        let own = [
            "name": name, "n": "\(side)", "K": "\(K)", "D": "\(D)", "bits": "\(packing.bits)",
            "metric": codebook.metric.rawValue, "codebook": codebook.name,
        ]
        try Safetensors.write(tensors, metadata: metadata.merging(own) { _, own in own }, to: path)
    }
}
