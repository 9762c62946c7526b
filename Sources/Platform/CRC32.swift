public import Kernels

/// A 32-bit cyclic redundancy check, reflected form, fed in parts.
public struct CRC32: Sendable {
    /// A generator, as the table of what each byte does.
    public struct Generator: Sendable {
        fileprivate let table: [UInt32]

        /// - Parameter polynomial: its bits, reversed.
        private init(polynomial: UInt32) {
            table = (0..<256).map { byte in
                (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ polynomial : value >> 1 }
            }
        }

        /// CRC-32 of PNG and gzip (ISO 3309).
        public static let crc32 = Generator(polynomial: 0xEDB8_8320)
        /// CRC-32C (Castagnoli) of record files.
        public static let crc32c = Generator(polynomial: 0x82F6_3B78)
    }

    private let table: [UInt32]
    private var state = UInt32.max

    public init(_ generator: Generator) { table = generator.table }

    public mutating func add(_ bytes: [UInt8]) { for byte in bytes { add(byte) } }

    public mutating func add(_ bytes: Bytes) { for index in 0..<bytes.count { add(bytes[index]) } }

    private mutating func add(_ byte: UInt8) {
        state = table[Int(UInt8(truncatingIfNeeded: state) ^ byte)] ^ state >> 8
    }

    public var value: UInt32 { ~state }
}
