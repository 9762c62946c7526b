import Foundation
import Testing

/// The lines of a text file of the repository.
func lines(_ file: URL) throws -> [String] {
    try String(contentsOf: file, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false).map(
        String.init)
}

/// The text files that users and developers read, below Sources, Recipes, Launch and Datasets, and every README.
private func readableFiles() throws -> [(path: String, lines: [String])] {
    let all = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
    let folders = ["Sources/", "Recipes/", "Launch/", "Datasets/"]
    let paths = all.filter { path in
        !path.hasPrefix(".") && (folders.contains { path.hasPrefix($0) } || path.hasSuffix("README.md"))
    }
    return paths.sorted().compactMap { path in
        // Binary samples are no text, and folders have no lines.
        (try? lines(root.appending(path: path))).map { (path, $0) }
    }
}

/// A word that another one replaces, and the paths where it may stand all the same.
struct ReplacedWord: Sendable, CustomTestStringConvertible {
    let words: String
    let allowed: String

    var testDescription: String { words }

    /// `Tests/Structure/words.txt`: an extended regular expression for whole words, a tab, one for paths.
    static func all() -> [ReplacedWord] {
        let file = root.appending(path: "Tests/Structure/words.txt")
        guard let lines = try? lines(file) else { return [] }
        return lines.filter { !$0.hasPrefix("#") && !$0.isEmpty }.map { line in
            let columns = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            return ReplacedWord(words: columns[0], allowed: columns.count > 1 ? columns[1] : "")
        }
    }
}

@Suite struct WordTests {
    @Test func `the list of replaced words is there`() {
        #expect(ReplacedWord.all().count >= 15)
    }

    @Test(arguments: ReplacedWord.all()) func `a word that the field does not use stands nowhere`(
        word: ReplacedWord
    ) throws {
        let pattern = try Regex(#"\b(?:\#(word.words))\b"#).ignoresCase()
        let allowed = try word.allowed.isEmpty ? nil : Regex(word.allowed)
        for file in try readableFiles() where allowed.map({ file.path.firstMatch(of: $0) == nil }) ?? true {
            for (number, line) in file.lines.enumerated() {
                #expect(line.firstMatch(of: pattern) == nil, "\(file.path):\(number + 1): \(line)")
            }
        }
    }

    @Test func `a doc comment stands alone`() throws {
        let pattern = try Regex(#"^\s*/// (Of|By|That) "#)
        for file in try swiftFiles(in: "Sources") {
            for (number, line) in try lines(file).enumerated() {
                #expect(line.firstMatch(of: pattern) == nil, "\(file.lastPathComponent):\(number + 1): \(line)")
            }
        }
    }
}
