import Kernels

/// The checksum of PNG chunks (ISO 3309), fed in parts.
struct CyclicChecksum {
    private var state: UInt32 = 0xFFFF_FFFF

    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1 }
    }

    mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { state = Self.table[Int(UInt8(truncatingIfNeeded: state) ^ byte)] ^ (state >> 8) }
    }

    mutating func add(_ bytes: Bytes) {
        for index in 0..<bytes.count {
            state = Self.table[Int(UInt8(truncatingIfNeeded: state) ^ bytes[index])] ^ (state >> 8)
        }
    }

    var value: UInt32 { ~state }
}

/// Adler's checksum of a zlib stream.
func adler(_ bytes: Bytes) -> UInt32 {
    var (low, high): (UInt32, UInt32) = (1, 0)
    var index = 0
    while index < bytes.count {
        // So many bytes cannot overflow 32 bits.
        let end = min(bytes.count, index + 5_552)
        while index < end {
            low &+= UInt32(bytes[index])
            high &+= low
            index += 1
        }
        low %= 65_521
        high %= 65_521
    }
    return high << 16 | low
}
