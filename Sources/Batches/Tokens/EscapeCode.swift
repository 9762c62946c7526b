public import Kernels

/// Ids as bytes of varying number: an id below 255 is one byte, the byte 255 adds 255 to the next one. Largest id 509.
/// Source: naver-ai/seit, the published token sets.
public enum EscapeCode {
    /// K at most.
    public static let codes = 2 * 255

    public static func append(_ ids: Indices, to bytes: inout [UInt8]) {
        for place in 0..<ids.count {
            let id = Int(ids[place])
            precondition(id >= 0 && id < codes, "an id that two bytes hold")
            if id >= 255 { bytes.append(255) }
            bytes.append(UInt8(id % 255))
        }
    }

    /// Reads one record.
    /// - Returns: what is wrong with it; nil where it fills `ids`.
    public static func read(_ bytes: Bytes, into ids: Indices) -> String? {
        var (at, place) = (0, 0)
        while at < bytes.count {
            var id = Int32(bytes[at])
            at += 1
            if id == 255 {
                guard at < bytes.count, bytes[at] < 255 else { return "an escape byte that no byte below 255 follows" }
                id += Int32(bytes[at])
                at += 1
            }
            guard place < ids.count else { return "more than \(ids.count) ids" }
            ids[place] = id
            place += 1
        }
        return place == ids.count ? nil : "\(place) ids, expected \(ids.count)"
    }
}
