/// The nearest known name to a misspelt one.
package enum Spelling {
    /// The candidate with the fewest edits, if they are few for the length of the word; ties go to the first.
    static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
        var best: (name: String, edits: Int)?
        for candidate in candidates {
            let edits = distance(folded(word), folded(candidate))
            // Short names differ by little: a third of the longer one, at least one edit.
            guard edits <= max(1, max(word.count, candidate.count) / 3), edits < best?.edits ?? .max else { continue }
            best = (candidate, edits)
        }
        return best?.name
    }

    /// `weightDecay`, `weight-decay` and `WEIGHT_DECAY` are one word.
    private static func folded(_ word: String) -> [UInt8] {
        word.lowercased().utf8.filter { $0 != UInt8(ascii: "_") && $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: " ") }
    }

    /// Edits between two words: insert, delete, replace, swap of neighbours (optimal string alignment).
    package static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
        var beforeLast = [Int](repeating: 0, count: b.count + 1)
        var last = Array(0...b.count)
        for i in 1...a.count {
            var row = [i]
            for j in 1...b.count {
                var edits = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    edits = min(edits, beforeLast[j - 2] + 1)
                }
                row.append(edits)
            }
            (beforeLast, last) = (last, row)
        }
        return last[b.count]
    }
}
