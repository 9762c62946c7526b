import Kernels

/// Reads the JSON subset of a safetensors table: objects, strings and lists of natural numbers.
struct HeaderText {
    private let bytes: Bytes
    private let file: String
    private var position = 0

    init(_ bytes: Bytes, file: String) {
        self.bytes = bytes
        self.file = file
    }

    func refusal(_ found: String, _ expected: String) -> CheckpointError {
        CheckpointError(.corrupt, at: file, found: "header byte \(position): " + found, expected: expected)
    }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    mutating func expect(_ character: Unicode.Scalar) throws(CheckpointError) {
        guard take(character) else { throw refusal(here, "'\(character)'") }
    }

    mutating func expectEnd() throws(CheckpointError) {
        skipSpace()
        guard position == bytes.count else { throw refusal(here, "the end of the header") }
    }

    mutating func integers(atMost limit: Int) throws(CheckpointError) -> [Int] {
        var list: [Int] = []
        try expect("[")
        if take("]") { return list }
        repeat {
            guard list.count < limit else { throw refusal("a longer list", "at most \(limit) numbers") }
            list.append(try integer())
        } while take(",")
        try expect("]")
        return list
    }

    mutating func string() throws(CheckpointError) -> String {
        try expect("\"")
        var text: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let valid = String(validating: text, as: UTF8.self) else { throw refusal("bad UTF-8", "UTF-8") }
                return valid
            case UInt8(ascii: "\\"): text += try escape()
            case 0..<0x20: throw refusal("a control character in a string", "an escape")
            default: text.append(byte)
            }
        }
        throw refusal("the end inside a string", "'\"'")
    }

    private mutating func integer() throws(CheckpointError) -> Int {
        skipSpace()
        let start = position
        var value = 0
        while position < bytes.count, case let digit = bytes[position], digit >= 0x30, digit <= 0x39 {
            let (tens, high) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(Int(digit - 0x30))
            guard !high, !carry else { throw refusal("a number beyond 64 bits", "less than 2^63") }
            value = sum
            position += 1
        }
        guard position > start else { throw refusal(here, "a natural number") }
        guard position == start + 1 || bytes[start] != 0x30 else { throw refusal("a number with a leading 0", "none") }
        return value
    }

    /// The bytes that the escape after a backslash stands for.
    private mutating func escape() throws(CheckpointError) -> [UInt8] {
        guard position < bytes.count else { throw refusal("the end inside an escape", "an escape") }
        let code = bytes[position]
        position += 1
        switch code {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [code]
        case UInt8(ascii: "b"): return [8]
        case UInt8(ascii: "f"): return [12]
        case UInt8(ascii: "n"): return [10]
        case UInt8(ascii: "r"): return [13]
        case UInt8(ascii: "t"): return [9]
        case UInt8(ascii: "u"): return Array(String(Character(try scalar())).utf8)
        default: throw refusal("an unknown escape", "an escape of JSON")
        }
    }

    private mutating func scalar() throws(CheckpointError) -> Unicode.Scalar {
        var value = try fourDigits()
        if (0xd800..<0xdc00).contains(value) {
            guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
                bytes[position + 1] == UInt8(ascii: "u")
            else { throw refusal("half of a surrogate pair", "both") }
            position += 2
            let low = try fourDigits()
            guard (0xdc00..<0xe000).contains(low) else { throw refusal("half of a surrogate pair", "both") }
            value = 0x10000 + (value - 0xd800) << 10 + (low - 0xdc00)
        }
        guard let scalar = Unicode.Scalar(value) else { throw refusal("half of a surrogate pair", "both") }
        return scalar
    }

    private mutating func fourDigits() throws(CheckpointError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard position < bytes.count, let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue else {
                throw refusal(here, "a hexadecimal digit")
            }
            value = value << 4 + UInt32(digit)
            position += 1
        }
        return value
    }

    private mutating func skipSpace() {
        while position < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[position]) { position += 1 }
    }

    private var here: String {
        guard position < bytes.count else { return "the end" }
        let byte = bytes[position]
        return (0x21..<0x7f).contains(byte) ? "'\(Unicode.Scalar(byte))'" : "byte \(byte)"
    }
}
