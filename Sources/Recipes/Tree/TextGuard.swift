/// Refuses a text before the parser sees it: too large, not UTF-8, tabs, nesting or aliases that blow it up.
enum TextGuard {
    static let largestBytes = 1 << 20
    static let deepestNesting = 64
    /// Lines, colons and commas. The parser takes microseconds for each key or item, so this bounds its time.
    static let mostSeparators = 10_000

    /// The text of the file, or the issue that makes it unreadable.
    static func text(_ bytes: [UInt8], file: String) -> Result<String, RecipeError> {
        func refused(_ line: Int, _ column: Int, _ problem: String) -> Result<String, RecipeError> {
            .failure(RecipeError([Issue(.file(file, line: line, column: column), "", problem)]))
        }
        if bytes.count > largestBytes {
            return refused(1, 1, "the file has more than 1 MiB; a recipe is a few KiB of YAML")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            // Everything before the first bad byte decodes to itself.
            let repaired = String(decoding: bytes, as: UTF8.self).utf8
            let good = zip(repaired, bytes).prefix { $0 == $1 }.count
            let line = bytes.prefix(good).count { $0 == UInt8(ascii: "\n") } + 1
            return refused(line, 1, "the text is not valid UTF-8; save the file as UTF-8")
        }
        if let trap = trap(in: bytes) { return refused(trap.line, trap.column, trap.problem) }
        return .success(text)
    }

    /// The first construct that is dangerous or means something else than it seems.
    private static func trap(in bytes: [UInt8]) -> (line: Int, column: Int, problem: String)? {
        let separators = bytes.count { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ",") }
        if separators > mostSeparators {
            return (1, 1, "more than \(mostSeparators) lines and values; this is no recipe")
        }
        var open = 0
        var number = 0
        let aliases = hasAlias(bytes)
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            if let tab = line.firstIndex(of: UInt8(ascii: "\t")) {
                return (number, tab - line.startIndex + 1, "a tab character; write spaces")
            }
            var dashes = 0
            for (index, byte) in line.enumerated() {
                switch byte {
                case UInt8(ascii: "["), UInt8(ascii: "{"): open += 1
                case UInt8(ascii: "]"), UInt8(ascii: "}"): open -= 1
                case UInt8(ascii: "-"), UInt8(ascii: "?"), UInt8(ascii: ":"): dashes += 1
                case UInt8(ascii: " "): break
                default: dashes = 0
                }
                // The parser recurses once a level.
                if open > deepestNesting || dashes > 8 * deepestNesting {
                    return (number, index + 1, "nested deeper than \(deepestNesting) levels")
                }
            }
            // Keys are hashed with everything under them: an alias there could hide millions of nodes.
            if aliases, let column = structuredKey(line) {
                return (number, column, "a key must be a plain name")
            }
        }
        return nil
    }

    /// True if something looks like `*name`; a false alarm only turns the rule on keys on.
    private static func hasAlias(_ bytes: [UInt8]) -> Bool {
        let before: Set<UInt8> = Set(" [{,:-?\n\r".utf8)
        var last = UInt8(ascii: "\n")
        for byte in bytes {
            if byte == UInt8(ascii: "*"), before.contains(last) { return true }
            last = byte
        }
        return false
    }

    /// Column of a key that is itself a list, a section or an alias: `? …`, `[…]: `, `{…}: `, `*name : `.
    private static func structuredKey(_ line: ArraySlice<UInt8>) -> Int? {
        var previous: UInt8 = UInt8(ascii: " ")  // last byte that is no space
        var inAlias = false
        for (index, byte) in line.enumerated() {
            switch byte {
            case UInt8(ascii: "?") where UInt8(ascii: " ") == previous || "-[{,?".utf8.contains(previous):
                return index + 1
            case UInt8(ascii: ":") where inAlias || "]}".utf8.contains(previous): return index + 1
            case UInt8(ascii: "*"): inAlias = true
            case UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "{"), UInt8(ascii: "]"), UInt8(ascii: "}"):
                inAlias = false
            default: break
            }
            if byte != UInt8(ascii: " "), byte != UInt8(ascii: "\r") { previous = byte }
        }
        return nil
    }
}
