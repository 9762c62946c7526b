public import Batches
import Kernels
public import Platform

/// A TensorBoard event file: records framed by lengths and masked checksums, each an `Event` message of
/// tensorflow/core/util/event.proto, written by hand.
public final class TensorBoardFile {
    private let file: AppendedFile

    /// Begins a new part of a run's events.
    /// - Parameter resumedAt: viewers drop what earlier files hold at and after this step; nil for a new run.
    public init(_ path: String, wallSeconds: Double, resumedAt step: Int? = nil) throws(FileError) {
        file = try AppendedFile(path)
        try append(Self.event(wallSeconds, step: 0, Message().text(3, "brain.Event:2")))
        guard let step else { return }
        let started = Message().integer(1, 1)
        try append(Self.event(wallSeconds, step: step, Message().message(7, started)))
    }

    /// The name of a part begun at `wallSeconds` (since 1970): viewers read parts in the order of their names.
    public static func name(wallSeconds: Double) -> String {
        let digits = String(Int(wallSeconds))
        return "events.out.tfevents." + String(repeating: "0", count: max(0, 10 - digits.count)) + digits + ".lacuna"
    }

    /// The step at which the part in the file went on with a run; nil for a part that began one, and for files that this
    /// program did not write.
    public static func resumedStep(_ path: String) -> Int? {
        guard let file = try? InputFile(path), let read = try? file.read(into: Bytes(zeros: 256)) else { return nil }
        func number(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reversed().reduce(0) { $0 << 8 | Int($1) } }
        // Each record: its length in 8 bytes, a checksum, an event of a double and a step first, a checksum.
        var left = read.array[...]
        guard left.count > 16, left[1..<8].allSatisfy({ $0 == 0 }) else { return nil }
        left = left.dropFirst(12 + number(left.prefix(8)) + 4)
        guard left.count > 12 + 10 else { return nil }
        let event = left.dropFirst(12).prefix(number(left.prefix(2))).dropFirst(10)
        let digits = event.prefix { $0 > 127 }.count + 1
        let step = event.prefix(digits).reversed().reduce(0) { $0 << 7 | Int($1 & 127) }
        return event.count == digits + 4 && Array(event.suffix(4)) == [0x3A, 2, 8, 1] ? step : nil
    }

    public func append(_ scalars: [(tag: String, value: Double)], step: Int, wallSeconds: Double) throws(FileError) {
        var summary = Message()
        for (tag, value) in scalars {
            summary = summary.message(1, Message().text(1, tag).float(2, Float(value)))
        }
        try append(Self.event(wallSeconds, step: step, Message().message(5, summary)))
    }

    public func append(
        _ image: borrowing Image, tag: String, step: Int, wallSeconds: Double
    ) throws(FileError) {
        let record = Message().integer(1, image.height).integer(2, image.width).integer(3, 3).data(4, image.png())
        let summary = Message().message(1, Message().text(1, tag).message(4, record))
        try append(Self.event(wallSeconds, step: step, Message().message(5, summary)))
    }

    private static func event(_ wallSeconds: Double, step: Int, _ what: Message) -> [UInt8] {
        Message().double(1, wallSeconds).integer(2, step).bytes + what.bytes
    }

    private func append(_ record: [UInt8]) throws(FileError) {
        let length = littleEndian(UInt64(record.count))
        try file.append(
            length + littleEndian(Self.masked(length)) + record + littleEndian(Self.masked(record)))
    }

    /// The checksum of a checksum would be weak, so record files rotate it and add a constant.
    static func masked(_ bytes: [UInt8]) -> UInt32 {
        let value = crc32c(bytes)
        return (value >> 15 | value << 17) &+ 0xA282_EAD8
    }
}

/// CRC-32C (Castagnoli), which zlib does not have.
private func crc32c(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(UInt32.max) { $0 >> 8 ^ castagnoli[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] }
}

/// What each byte does to the checksum: eight steps of division by the polynomial, bits reversed.
private let castagnoli: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
}

/// Fields of a protocol buffer message, in the order of the calls.
private struct Message {
    var bytes: [UInt8] = []

    func integer(_ field: Int, _ value: Int) -> Message {
        with(field, 0, Self.varint(UInt64(bitPattern: Int64(value))))
    }
    func double(_ field: Int, _ value: Double) -> Message { with(field, 1, littleEndian(value.bitPattern)) }
    func float(_ field: Int, _ value: Float) -> Message { with(field, 5, littleEndian(value.bitPattern)) }
    func text(_ field: Int, _ value: String) -> Message { data(field, Array(value.utf8)) }
    func message(_ field: Int, _ value: Message) -> Message { data(field, value.bytes) }
    func data(_ field: Int, _ value: [UInt8]) -> Message { with(field, 2, Self.varint(UInt64(value.count)) + value) }

    private func with(_ field: Int, _ wire: Int, _ content: [UInt8]) -> Message {
        Message(bytes: bytes + Self.varint(UInt64(field << 3 | wire)) + content)
    }

    private static func varint(_ value: UInt64) -> [UInt8] {
        var (rest, bytes) = (value, [UInt8]())
        while rest > 127 {
            bytes.append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}

private func littleEndian<Value: FixedWidthInteger & UnsignedInteger>(_ value: Value) -> [UInt8] {
    (0..<Value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
}
