public import Kernels

/// Ids of a fixed number of bits: id i lies in bits i·bits ..< (i + 1)·bits, the lowest first, bytes little-endian.
/// Every record begins on a byte.
public struct PackedIDs: Sendable {
    /// Ids of a record.
    public let count: Int
    /// Bits of an id, 1...24.
    public let bits: Int

    /// - Parameter codes: K; ids take max(1, ceil(log2 K)) bits.
    public init(count: Int, codes: Int) {
        precondition(count > 0 && codes > 0 && codes <= 1 << 24, "ids of a codebook")
        self.count = count
        bits = max(1, Int.bitWidth - (codes - 1).leadingZeroBitCount)
    }

    /// Bytes of a record.
    public var bytes: Int { (count * bits + 7) / 8 }

    /// Packs one record of ids below 2^bits.
    public func pack(_ ids: Indices, into bytes: Bytes) {
        precondition(ids.count == count && bytes.count == self.bytes, "one record")
        var (pending, held, at): (UInt64, Int, Int) = (0, 0, 0)
        for place in 0..<count {
            pending |= UInt64(UInt32(bitPattern: ids[place])) << UInt64(held)
            held += bits
            while held >= 8 {
                bytes[at] = UInt8(truncatingIfNeeded: pending)
                (pending, held, at) = (pending >> 8, held - 8, at + 1)
            }
        }
        if held > 0 { bytes[at] = UInt8(truncatingIfNeeded: pending) }
    }

    /// - Returns: the largest id, for the caller to hold against the codebook.
    @discardableResult
    public func unpack(_ bytes: Bytes, into ids: Indices) -> Int {
        precondition(ids.count == count && bytes.count == self.bytes, "one record")
        let mask = UInt64(1) << UInt64(bits) - 1
        var (pending, held, at): (UInt64, Int, Int) = (0, 0, 0)
        var largest: Int32 = 0
        for place in 0..<count {
            while held < bits {
                pending |= UInt64(bytes[at]) << UInt64(held)
                (held, at) = (held + 8, at + 1)
            }
            let id = Int32(truncatingIfNeeded: pending & mask)
            ids[place] = id
            largest = max(largest, id)
            (pending, held) = (pending >> UInt64(bits), held - bits)
        }
        return Int(largest)
    }
}
