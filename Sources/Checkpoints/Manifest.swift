import FoundationEssentials
import Kernels
import Messages
import Platform

/// The list of what a checkpoint consists of, written last: a folder without a valid one is no checkpoint.
///
/// The file starts with its own checksum, `{"checksum":"0123456789abcdef",`, taken over every byte after that.
struct Manifest: Codable, Equatable {
    struct File: Codable, Equatable {
        var bytes: Int
        /// XXHash64 in 16 hexadecimal digits, as `xxhsum -H1` prints it.
        var checksum: String
        /// Checksums of the tensors; these name the damaged one when the file's checksum is wrong.
        var tensors: [String: String]?
    }

    static let name = "manifest.json"
    private static let version = 1
    private static let maximumBytes = 32 << 20
    private static let opening = "{\"checksum\":\""
    private static let seal = opening.utf8.count + 16 + 2

    var format = version
    var step: Int
    var library: String
    var files: [String: File]

    init(step: Int, library: String, files: [String: File]) {
        self.step = step
        self.library = library
        self.files = files
    }

    init(readingFrom folder: String) throws(CheckpointError) {
        let path = folder + "/" + Self.name
        let bytes: Bytes
        do { bytes = try InputFile.contents(path, limit: Self.maximumBytes) } catch {
            if error.isMissing { throw CheckpointError(.corrupt, at: path, found: "missing", expected: "a manifest") }
            throw CheckpointError(reading: error)
        }
        guard bytes.count > Self.seal,
            String(decoding: bytes[0..<Self.seal].array, as: UTF8.self)
                == Self.opening + hexadecimal(XXHash64.hash(bytes[Self.seal..<bytes.count])) + "\","
        else {
            throw CheckpointError(.corrupt, at: path, found: "other bytes than were written", expected: "its checksum")
        }
        do { self = try JSONDecoder().decode(Manifest.self, from: Data(bytes.array)) } catch {
            throw CheckpointError(.corrupt, at: path, found: "unreadable", expected: "a manifest", hint: "\(error)")
        }
        guard format == Self.version else {
            throw CheckpointError(
                .mismatched, at: path, found: "format \(format)", expected: "format \(Self.version)",
                hint: "written by \(library)")
        }
    }

    /// The bytes of the file, with the seal in front.
    func sealed() throws(CheckpointError) -> [UInt8] {
        let body = try encoded(self).dropFirst()
        let checksum = XXHash64.hash(Bytes(Array(body)))
        return Array((Self.opening + hexadecimal(checksum) + "\",").utf8) + body
    }
}

/// JSON with sorted keys, so that equal values give equal bytes.
func encoded(_ value: some Encodable) throws(CheckpointError) -> [UInt8] {
    do { return try JSON.encoded(value) } catch {
        throw CheckpointError(
            .mismatched, at: "\(type(of: value))", found: "a value that JSON cannot hold", hint: "\(error)")
    }
}

/// 16 digits.
func hexadecimal(_ word: UInt64) -> String {
    let digits = String(word, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}
