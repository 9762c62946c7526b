/// A 32-bit cyclic checksum, reflected form, from a table.
public struct Checksum: Sendable {
    private let table: [UInt32]

    /// - Parameter polynomial: reversed bits of the generator.
    private init(polynomial: UInt32) {
        table = (0..<256).map { byte in
            (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ polynomial : value >> 1 }
        }
    }

    /// CRC-32C (Castagnoli) of record files.
    public static let crc32c = Checksum(polynomial: 0x82F6_3B78)

    public func value(of bytes: some Sequence<UInt8>) -> UInt32 {
        ~bytes.reduce(UInt32.max) { table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8 }
    }
}
