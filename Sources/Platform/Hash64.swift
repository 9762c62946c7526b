public import Kernels

/// XXH64: a fast 64-bit checksum against accidents, not against forgery.
/// Source: Y. Collet, xxHash specification, version 0.1.1. All words little-endian.
public enum Hash64 {
    private static let primes: (UInt64, UInt64, UInt64, UInt64, UInt64) = (
        0x9E37_79B1_85EB_CA87, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0x85EB_CA77_C2B2_AE63,
        0x27D4_EB2F_1656_67C5
    )

    public static func of(_ bytes: Bytes, seed: UInt64 = 0) -> UInt64 {
        of(UnsafeRawBufferPointer(start: bytes.pointer, count: bytes.count), seed: seed)
    }

    public static func of(_ bytes: [UInt8], seed: UInt64 = 0) -> UInt64 {
        bytes.withUnsafeBytes { of($0, seed: seed) }
    }

    /// The hash of a list of words, for fingerprints made of several numbers.
    public static func of(words: [UInt64], seed: UInt64 = 0) -> UInt64 {
        words.map(\.littleEndian).withUnsafeBytes { of($0, seed: seed) }
    }

    private static func of(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        let (p1, p2, p3, p4, p5) = primes
        var at = 0
        var hash = seed &+ p5
        if bytes.count >= 32 {
            var lanes = SIMD4(seed &+ p1 &+ p2, seed &+ p2, seed, seed &- p1)
            while at + 32 <= bytes.count {
                for lane in 0..<4 { lanes[lane] = round(lanes[lane], word(bytes, at + 8 * lane)) }
                at += 32
            }
            hash = rotate(lanes[0], 1) &+ rotate(lanes[1], 7) &+ rotate(lanes[2], 12) &+ rotate(lanes[3], 18)
            for lane in 0..<4 { hash = (hash ^ round(0, lanes[lane])) &* p1 &+ p4 }
        }
        hash &+= UInt64(bytes.count)
        while at + 8 <= bytes.count {
            hash = rotate(hash ^ round(0, word(bytes, at)), 27) &* p1 &+ p4
            at += 8
        }
        if at + 4 <= bytes.count {
            let half = UInt64(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
            hash = rotate(hash ^ (half &* p1), 23) &* p2 &+ p3
            at += 4
        }
        while at < bytes.count {
            hash = rotate(hash ^ (UInt64(bytes[at]) &* p5), 11) &* p1
            at += 1
        }
        hash = (hash ^ (hash >> 33)) &* p2
        hash = (hash ^ (hash >> 29)) &* p3
        return hash ^ (hash >> 32)
    }

    private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    private static func round(_ lane: UInt64, _ word: UInt64) -> UInt64 {
        rotate(lane &+ word &* primes.1, 31) &* primes.0
    }

    private static func rotate(_ word: UInt64, _ bits: UInt64) -> UInt64 { word << bits | word >> (64 - bits) }
}
