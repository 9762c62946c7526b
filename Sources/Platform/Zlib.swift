import CZlib
public import Kernels

/// How packed bytes are wrapped; the number tells zlib.
public enum DeflateForm: Int32, Sendable {
    /// Adler's checksum at the end: PNG. Source: RFC 1950.
    case zlib = 15
    /// CRC-32 and the length at the end: `.gz` files. Source: RFC 1952.
    case gzip = 31
}

/// Why bytes cannot be unpacked.
public enum UnpackingError: Error, Equatable {
    case endsEarly, tooFewBytes, tooManyBytes, noMemory
    /// In zlib's words.
    case damaged(String)

    /// The fault of the stream, in words.
    public var reason: String {
        switch self {
        case .endsEarly: "ends early"
        case .tooFewBytes: "holds fewer bytes than expected"
        case .tooManyBytes: "holds more bytes than expected"
        case .noMemory: "needs more memory than there is"
        case .damaged(let words): "is damaged: \(words)"
        }
    }
}

/// zlib counts the bytes of one call in 32 bits.
private let longestPiece = 1 << 30

/// Fills `bytes` from the stream at the start of `packed`; a stream that gives less or more is refused, and so is one
/// whose checksum does not hold.
/// - Returns: the bytes of `packed` that belong to the stream.
public func unpack(_ packed: Bytes, _ form: DeflateForm, into bytes: Bytes) throws(UnpackingError) -> Int {
    var stream = z_stream()
    guard lacuna_inflate_start(&stream, form.rawValue) == Z_OK else { throw .noMemory }
    defer { inflateEnd(&stream) }
    var (used, done) = (0, 0)
    while true {
        let input = packed[used..<min(used + longestPiece, packed.count)]
        let output = bytes[done..<min(done + longestPiece, bytes.count)]
        (stream.next_in, stream.avail_in) = (input.pointer, UInt32(input.count))
        (stream.next_out, stream.avail_out) = (output.pointer, UInt32(output.count))
        // What all fits needs no window of its own, which saves a copy.
        let code = inflate(&stream, Z_FINISH)
        used += input.count - Int(stream.avail_in)
        done += output.count - Int(stream.avail_out)
        switch code {
        case Z_STREAM_END:
            guard done == bytes.count else { throw .tooFewBytes }
            return used
        case Z_OK, Z_BUF_ERROR:
            guard stream.avail_in == 0 || done < bytes.count else { throw .tooManyBytes }
            guard used < packed.count || stream.avail_out == 0 && done < bytes.count else { throw .endsEarly }
        case Z_MEM_ERROR: throw .noMemory
        default: throw .damaged(stream.msg.map { String(cString: $0) } ?? "code \(code)")
        }
    }
}

/// Packs `bytes` at zlib's default level and hands the stream to `sink`, piece by piece; a piece is valid until the
/// next one.
/// - Parameter areDifferences: small numbers around zero, such as filtered rows of images: their runs are chance.
public func pack<Failure: Error>(
    _ bytes: Bytes, _ form: DeflateForm, areDifferences: Bool = false, to sink: (Bytes) throws(Failure) -> Void
) throws(Failure) {
    var stream = z_stream()
    let strategy = areDifferences ? Z_FILTERED : Z_DEFAULT_STRATEGY
    precondition(lacuna_deflate_start(&stream, 6, form.rawValue, strategy) == Z_OK, "no memory for packing")
    defer { deflateEnd(&stream) }
    let packed = Bytes(zeros: 64 << 10)
    var (used, code) = (0, Z_OK)
    while code != Z_STREAM_END {
        let input = bytes[used..<min(used + longestPiece, bytes.count)]
        (stream.next_in, stream.avail_in) = (input.pointer, UInt32(input.count))
        (stream.next_out, stream.avail_out) = (packed.pointer, UInt32(packed.count))
        code = deflate(&stream, used + input.count == bytes.count ? Z_FINISH : Z_NO_FLUSH)
        used += input.count - Int(stream.avail_in)
        try sink(packed[0..<packed.count - Int(stream.avail_out)])
    }
}

/// CRC-32 of PNG and gzip (ISO 3309) of all bytes up to the last of `bytes`.
/// - Parameter before: that of the bytes before them.
public func crc32(_ bytes: Bytes, after before: UInt32 = 0) -> UInt32 {
    UInt32(crc32_z(UInt(before), bytes.pointer, bytes.count))
}
