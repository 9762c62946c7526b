import Kernels

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
