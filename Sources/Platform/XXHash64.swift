public import Kernels

/// The 64-bit hash of Yann Collet's xxHash, fed piece by piece: it finds damage, it does not resist forgery.
/// Equal to `xxhsum -H1` of the same bytes. Source: github.com/Cyan4973/xxHash, doc/xxhash_spec.md.
public struct XXHash64: Sendable {
    private static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
    private static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
    private static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
    private static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
    private static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5
    private static let stripe = 32

    private let seed: UInt64
    private var lanes: SIMD4<UInt64>
    /// Bytes that do not fill a stripe yet.
    private var tail = SIMD4<UInt64>()
    private var tailCount = 0
    private var total: UInt64 = 0

    public init(seed: UInt64 = 0) {
        self.seed = seed
        lanes = SIMD4(seed &+ Self.prime1 &+ Self.prime2, seed &+ Self.prime2, seed, seed &- Self.prime1)
    }

    /// The hash of `bytes` alone.
    public static func hash(_ bytes: Bytes, seed: UInt64 = 0) -> UInt64 {
        var hash = XXHash64(seed: seed)
        hash.update(bytes)
        return hash.value
    }

    /// The hash of the text's UTF-8.
    public static func hash(_ text: String) -> UInt64 { hash(Bytes(Array(text.utf8))) }

    public static func hash(_ bytes: [UInt8]) -> UInt64 { hash(Bytes(bytes)) }

    /// The hash of a list of words, for fingerprints made of several numbers.
    public static func hash(words: [UInt64]) -> UInt64 {
        hash(Buffer(words.map(\.littleEndian)).viewed(as: UInt8.self))
    }

    public mutating func update(_ bytes: Bytes) {
        var from = UnsafeRawPointer(bytes.pointer)
        var count = bytes.count
        total &+= UInt64(count)
        if tailCount > 0 {
            let taken = min(count, Self.stripe - tailCount)
            withUnsafeMutableBytes(of: &tail) {
                $0.baseAddress?.advanced(by: tailCount).copyMemory(from: from, byteCount: taken)
            }
            tailCount += taken
            from += taken
            count -= taken
            if tailCount < Self.stripe { return }
            lanes = withUnsafeBytes(of: tail) { Self.consume($0.baseAddress, stripes: 1, lanes) }
            tailCount = 0
        }
        let stripes = count / Self.stripe
        lanes = Self.consume(from, stripes: stripes, lanes)
        from += stripes * Self.stripe
        count -= stripes * Self.stripe
        withUnsafeMutableBytes(of: &tail) { $0.baseAddress?.copyMemory(from: from, byteCount: count) }
        tailCount = count
    }

    /// The hash of everything so far; more may follow.
    public var value: UInt64 {
        var hash = seed &+ Self.prime5
        if total >= Self.stripe {
            hash = rotated(lanes[0], 1) &+ rotated(lanes[1], 7) &+ rotated(lanes[2], 12) &+ rotated(lanes[3], 18)
            for lane in 0..<4 {
                hash = (hash ^ Self.round(0, lanes[lane])) &* Self.prime1 &+ Self.prime4
            }
        }
        hash &+= total
        hash = withUnsafeBytes(of: tail) { Self.finish(hash, UnsafeRawBufferPointer(rebasing: $0[..<tailCount])) }
        hash = (hash ^ hash >> 33) &* Self.prime2
        hash = (hash ^ hash >> 29) &* Self.prime3
        return hash ^ hash >> 32
    }

    private static func finish(_ start: UInt64, _ tail: UnsafeRawBufferPointer) -> UInt64 {
        var hash = start
        var at = 0
        while at + 8 <= tail.count {
            hash ^= round(0, tail.loadUnaligned(fromByteOffset: at, as: UInt64.self))
            hash = rotated(hash, 27) &* prime1 &+ prime4
            at += 8
        }
        if at + 4 <= tail.count {
            hash ^= UInt64(tail.loadUnaligned(fromByteOffset: at, as: UInt32.self)) &* prime1
            hash = rotated(hash, 23) &* prime2 &+ prime3
            at += 4
        }
        while at < tail.count {
            hash = rotated(hash ^ UInt64(tail[at]) &* prime5, 11) &* prime1
            at += 1
        }
        return hash
    }

    /// Four independent chains, which keep the multiplier busy: the reason why this hash is as fast as memory.
    private static func consume(_ from: UnsafeRawPointer?, stripes: Int, _ lanes: SIMD4<UInt64>) -> SIMD4<UInt64> {
        guard var at = from else { return lanes }
        var (a, b, c, d) = (lanes[0], lanes[1], lanes[2], lanes[3])
        for _ in 0..<stripes {
            a = round(a, at.loadUnaligned(as: UInt64.self))
            b = round(b, at.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            c = round(c, at.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
            d = round(d, at.loadUnaligned(fromByteOffset: 24, as: UInt64.self))
            at += stripe
        }
        return SIMD4(a, b, c, d)
    }

    @inline(__always) private static func round(_ lane: UInt64, _ word: UInt64) -> UInt64 {
        rotated(lane &+ word &* prime2, 31) &* prime1
    }
}

@inline(__always) private func rotated(_ word: UInt64, _ by: UInt64) -> UInt64 { word << by | word >> (64 - by) }
