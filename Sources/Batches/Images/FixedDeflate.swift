import Kernels

/// A zlib stream in the fixed code of deflate, where a repeated byte becomes a run: simple, and good on the filtered
/// rows of enlarged images, which are mostly zeros. Source: RFC 1950, RFC 1951.
struct FixedDeflate {
    private(set) var stream: [UInt8] = [0x78, 0x01]
    private var pending: UInt32 = 0
    private var pendingBits: UInt32 = 0

    static let longestRun = 258

    init(_ raw: Bytes) {
        // The last block, of the fixed code.
        put(3, bits: 3)
        var at = 0
        while at < raw.count {
            let byte = raw[at]
            putSymbol(Int(byte))
            at += 1
            var run = 0
            while run < Self.longestRun, at + run < raw.count, raw[at + run] == byte { run += 1 }
            if run >= 3 {
                putRun(run)
                at += run
            }
        }
        putSymbol(256)
        put(0, bits: 7)
        let sum = adler(raw)
        stream += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: sum >> $0) }
    }

    /// The byte before, 3 to 258 times more.
    private mutating func putRun(_ length: Int) {
        if length <= 10 {
            putSymbol(254 + length)
        } else if length == Self.longestRun {
            putSymbol(285)
        } else {
            let rest = UInt32(length - 3)
            let extra = 29 - UInt32(rest.leadingZeroBitCount)
            putSymbol(Int(261 + 4 * extra + (rest >> extra & 3)))
            put(rest & (1 << extra - 1), bits: extra)
        }
        // Distance 1.
        put(0, bits: 5)
    }

    private mutating func putSymbol(_ symbol: Int) {
        let (code, bits): (Int, UInt32) =
            switch symbol {
            case ..<144: (0x30 + symbol, 8)
            case ..<256: (0x190 + symbol - 144, 9)
            case ..<280: (symbol - 256, 7)
            default: (0xC0 + symbol - 280, 8)
            }
        // Codes begin with their highest bit, all else with its lowest.
        put(UInt32(code).reversed(bits), bits: bits)
    }

    private mutating func put(_ value: UInt32, bits: UInt32) {
        pending |= value << pendingBits
        pendingBits += bits
        while pendingBits >= 8 {
            stream.append(UInt8(truncatingIfNeeded: pending))
            pending >>= 8
            pendingBits -= 8
        }
    }
}

extension UInt32 {
    fileprivate func reversed(_ bits: UInt32) -> UInt32 {
        (0..<bits).reduce(0) { $0 << 1 | self >> $1 & 1 }
    }
}
