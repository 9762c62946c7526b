/// One line of JSON: an object whose keys stand in the order in which they were added.
struct JSONLine {
    private var text = "{"

    mutating func add(_ key: String, _ value: Int) { add(key, raw: String(value)) }
    mutating func add(_ key: String, _ value: String) { add(key, raw: Self.quoted(value)) }
    /// The shortest digits that read back as the same number; JSON has no infinity and no NaN, they become null.
    mutating func add(_ key: String, _ value: Double) { add(key, raw: value.isFinite ? value.description : "null") }

    /// The finished line.
    var bytes: [UInt8] { Array((text + "}\n").utf8) }

    private mutating func add(_ key: String, raw: String) {
        text += (text == "{" ? "" : ", ") + Self.quoted(key) + ": " + raw
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case _ where scalar.value < 32:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
