/// Philox 4x32 with ten rounds: a counter and a key give four words, with no state in between.
/// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011.
public enum Philox {
    public static func words(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
        var (counter, key) = (counter, key)
        for round in 0..<10 {
            if round > 0 { key &+= SIMD2(0x9E37_79B9, 0xBB67_AE85) }
            let first = UInt64(counter[0]) * 0xD251_1F53
            let second = UInt64(counter[2]) * 0xCD9E_8D57
            counter = SIMD4(
                UInt32(truncatingIfNeeded: second >> 32) ^ counter[1] ^ key[0], UInt32(truncatingIfNeeded: second),
                UInt32(truncatingIfNeeded: first >> 32) ^ counter[3] ^ key[1], UInt32(truncatingIfNeeded: first))
        }
        return counter
    }
}

/// The use of a draw. Each purpose has a stream of its own, so that a new use never shifts an old one.
/// The raw value is four ASCII letters that enter the key.
public enum Purpose: UInt32, Sendable {
    case initialize = 0x494E_4954
    case order = 0x4F52_4452
    case crop = 0x4352_4F50
    case flip = 0x464C_4950
    case mask = 0x4D41_534B
    case policy = 0x504F_4C49
    case colorJitter = 0x4A49_5454
    case erase = 0x4552_4153
    case mix = 0x4D49_5845
    case dropPath = 0x4452_4F50
    case procedural = 0x5052_4F43
    case substitute = 0x5355_4253
    case gradientNoise = 0x474E_4F31
    case split = 0x5350_4C54
    case labelNoise = 0x4C4E_4F49
    case targetMix = 0x544D_4958
    case codebook = 0x434F_4445
    case dropout = 0x4450_4F55
    case maskRatio = 0x4D52_4154
    case tokenEdit = 0x5445_4441
    case tokenColor = 0x5443_4F4C
    case tokenNoise = 0x544E_4F49
    case tokenAdapt = 0x5441_4441
    case guideInput = 0x4755_4944
}

/// A stream of draws that is a pure function of its key: nothing depends on rank, thread or order of arrival.
public struct RandomStream: Sendable {
    private let key: SIMD2<UInt32>
    private var counter: SIMD4<UInt32>
    private var words = SIMD4<UInt32>()
    private var used = 4

    public init(seed: UInt64, purpose: Purpose, epoch: UInt32 = 0, sample: UInt64 = 0) {
        key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32) ^ purpose.rawValue)
        counter = SIMD4(0, epoch, UInt32(truncatingIfNeeded: sample), UInt32(truncatingIfNeeded: sample >> 32))
    }

    public mutating func word() -> UInt32 {
        if used == 4 {
            words = Philox.words(counter: counter, key: key)
            counter[0] &+= 1
            used = 0
        }
        used += 1
        return words[used - 1]
    }

    /// Uniform in 0..<1 with 53 random bits.
    public mutating func uniform() -> Double {
        let high = UInt64(word()), low = UInt64(word())
        return Double((high << 32 | low) >> 11) * 0x1p-53
    }

    public mutating func uniform(_ range: ClosedRange<Double>) -> Double {
        range.lowerBound + (range.upperBound - range.lowerBound) * uniform()
    }

    /// Uniform in 0..<`bound`; the bias is below `bound` / 2^64.
    public mutating func below(_ bound: Int) -> Int {
        precondition(bound > 0, "an empty range has no element")
        let high = UInt64(word()), low = UInt64(word())
        return Int((high << 32 | low).multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// A uniform permutation of 0..<`count`.
    public mutating func permutation(_ count: Int) -> [Int] {
        var order = Array(0..<count)
        shuffle(&order)
        return order
    }

    /// Fisher and Yates, from the end.
    public mutating func shuffle<Element>(_ elements: inout [Element]) {
        for last in stride(from: elements.count - 1, to: 0, by: -1) { elements.swapAt(last, below(last + 1)) }
    }
}
