import Kernels

/// What is wrong with a PNG file.
struct PNGFault: Error {
    let reason: String
}

/// Unpacks a deflate stream into memory of known size. Source: RFC 1951.
struct Inflate {
    private let input: Bytes
    private let output: Bytes
    private var position = 0
    private var bits: UInt64 = 0
    private var bitCount = 0
    private var written = 0
    private let literals = CodeTable(), distances = CodeTable()

    /// Fills `output` from `input`; a stream that gives less or more is refused.
    static func unpack(_ input: Bytes, into output: Bytes) throws(PNGFault) {
        var inflate = Inflate(input: input, output: output)
        try inflate.run()
    }

    private init(input: Bytes, output: Bytes) {
        self.input = input
        self.output = output
    }

    private mutating func run() throws(PNGFault) {
        var isLast = false
        while !isLast {
            isLast = try take(1) == 1
            switch try take(2) {
            case 0: try copyStored()
            case 1:
                try literals.build((0..<288).map { $0 < 144 ? 8 : $0 < 256 ? 9 : $0 < 280 ? 7 : 8 })
                try distances.build([UInt8](repeating: 5, count: 30))
                try unpackBlock()
            case 2:
                try readCodes()
                try unpackBlock()
            default: throw PNGFault(reason: "has a block of unknown kind")
            }
        }
        guard written == output.count else { throw PNGFault(reason: "ends before its last row") }
    }

    /// Keeps at least 48 bits at hand; zeros stand in behind the end, and only using them is an error.
    private mutating func refill() throws(PNGFault) {
        while bitCount < 48 {
            if position < input.count { bits |= UInt64(input[position]) << UInt64(bitCount) }
            position += 1
            bitCount += 8
        }
        if position > input.count + 8 { throw PNGFault(reason: "ends early") }
    }

    private mutating func take(_ count: Int) throws(PNGFault) -> Int {
        try refill()
        let value = Int(bits & (1 << UInt64(count) - 1))
        drop(count)
        return value
    }

    private mutating func drop(_ count: Int) {
        bits >>= UInt64(count)
        bitCount -= count
    }

    private mutating func symbol(_ table: CodeTable) throws(PNGFault) -> Int {
        try refill()
        let entry = table[Int(bits & 0x7FFF)]
        guard entry != 0 else { throw PNGFault(reason: "holds a wrong code") }
        drop(entry & 15)
        return entry >> 4
    }

    private mutating func write(_ byte: UInt8) throws(PNGFault) {
        guard written < output.count else { throw PNGFault(reason: "holds more rows than its header says") }
        output[written] = byte
        written += 1
    }

    private mutating func copyStored() throws(PNGFault) {
        drop(bitCount % 8)
        let count = try take(16)
        guard try take(16) == count ^ 0xFFFF else { throw PNGFault(reason: "holds a stored block of wrong length") }
        for _ in 0..<count { try write(UInt8(take(8))) }
    }

    /// The two code tables of a dynamic block, themselves coded.
    private mutating func readCodes() throws(PNGFault) {
        let literalCount = try take(5) + 257, distanceCount = try take(5) + 1, lengthCount = try take(4) + 4
        guard literalCount <= 286, distanceCount <= 30 else { throw PNGFault(reason: "holds too many codes") }
        var lengths = [UInt8](repeating: 0, count: 19)
        for index in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15].prefix(lengthCount) {
            lengths[index] = UInt8(try take(3))
        }
        try literals.build(lengths)
        lengths = []
        while lengths.count < literalCount + distanceCount {
            let code = try symbol(literals)
            switch code {
            case 0...15: lengths.append(UInt8(code))
            case 16:
                guard let last = lengths.last else { throw PNGFault(reason: "repeats a length before the first") }
                lengths += [UInt8](repeating: last, count: try take(2) + 3)
            default: lengths += [UInt8](repeating: 0, count: code == 17 ? try take(3) + 3 : try take(7) + 11)
            }
        }
        guard lengths.count == literalCount + distanceCount else { throw PNGFault(reason: "holds too many lengths") }
        try literals.build(Array(lengths[..<literalCount]))
        try distances.build(Array(lengths[literalCount...]))
    }

    private mutating func unpackBlock() throws(PNGFault) {
        while true {
            let code = try symbol(literals)
            if code < 256 {
                try write(UInt8(code))
                continue
            }
            if code == 256 { return }
            guard code < 286 else { throw PNGFault(reason: "holds a wrong code") }
            let length = try code == 285 ? 258 : code < 265 ? code - 254 : extended(code - 257, step: 4, base: 3)
            let distanceCode = try symbol(distances)
            guard distanceCode < 30 else { throw PNGFault(reason: "holds a wrong code") }
            let distance = try distanceCode < 4 ? distanceCode + 1 : extended(distanceCode, step: 2, base: 1)
            guard distance <= written else { throw PNGFault(reason: "refers to bytes before its start") }
            for _ in 0..<length { try write(output[written - distance]) }
        }
    }

    /// Lengths and distances double every `step` codes; extra bits fill the gaps.
    private mutating func extended(_ code: Int, step: Int, base: Int) throws(PNGFault) -> Int {
        let extraBits = code / step - 1
        return (step + code % step) << extraBits + base + (try take(extraBits))
    }
}

/// Code lengths turned into a table over the next 15 bits: symbol × 16 + length, 0 where no code fits.
private final class CodeTable {
    private let entries = Buffer<UInt16>(zeros: 1 << 15)

    subscript(index: Int) -> Int { Int(entries[index]) }

    func build(_ lengths: [UInt8]) throws(PNGFault) {
        var counts = [Int](repeating: 0, count: 16)
        for length in lengths where length > 0 { counts[Int(length)] += 1 }
        var next = [Int](repeating: 0, count: 17)
        var used = 0
        for length in 1...15 {
            next[length + 1] = (next[length] + counts[length]) << 1
            used += counts[length] << (15 - length)
        }
        guard used <= 1 << 15 else { throw PNGFault(reason: "holds codes that overlap") }
        entries.fill(0)
        for (symbol, length) in lengths.enumerated() where length > 0 {
            let width = Int(length)
            // Codes are sent from their highest bit, the stream is read from its lowest.
            var reversed = 0
            for bit in 0..<width where next[width] >> bit & 1 == 1 { reversed |= 1 << (width - 1 - bit) }
            next[width] += 1
            for index in stride(from: reversed, to: 1 << 15, by: 1 << width) {
                entries[index] = UInt16(symbol << 4 | width)
            }
        }
    }
}
