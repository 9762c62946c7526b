import Foundation
import Testing

@Suite struct ReadmeTests {
    /// What the client asked for at the top level, and what every repository has.
    private let topLevel: Set<String> = [
        "Package.swift", "Sources", "Tests", "Recipes", "Launch", "Datasets", "README.md", "LICENSE",
    ]

    @Test func `the top level holds nothing else`() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: root.path)
        // SwiftPM writes Package.resolved anew where it builds; it is not kept.
        let shown = names.filter { !$0.hasPrefix(".") && $0 != "Package.resolved" }
        #expect(Set(shown).subtracting(topLevel).isEmpty, "\(Set(shown).subtracting(topLevel).sorted())")
        #expect(topLevel.isSubset(of: shown))
    }

    /// Pages for users and developers.
    static let pages: [String] = {
        let all = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
        return all.filter { $0.hasSuffix(".md") && !$0.hasPrefix(".") && !$0.contains("Fixtures/") }.sorted()
    }()

    @Test(arguments: pages) func `a member that a page names exists and is used`(page: String) throws {
        let name = try Regex(#"`([A-Z]\w+)\.([a-z]\w*)(?:\(.*?\))?`"#)
        let files = try swiftFiles(in: "Sources").map { try String(contentsOf: $0, encoding: .utf8) }
        for (number, line) in try lines(root.appending(path: page)).enumerated() {
            for match in line.matches(of: name) {
                guard let type = match.output[1].substring, let member = match.output[2].substring else { continue }
                // A file's name is no member.
                if ["swift", "yaml", "md", "json", "c", "h", "tar"].contains(member) { continue }
                let home = try Regex(#"\b(?:struct|class|enum|protocol|actor|extension) (?:\w+\.)*\#(type)\b"#)
                let declaration = try Regex(#"\b(?:func|var|let|case|associatedtype) (?:.*, )?`?\#(member)\b"#)
                let homes = files.filter { $0.contains(home) && $0.contains(declaration) }
                #expect(!homes.isEmpty, "\(page):\(number + 1): \(type).\(member) is not in Sources")
                let use = try Regex(#"\b\#(member)\b"#)
                let uses = files.reduce(0) { $0 + $1.matches(of: use).count }
                #expect(uses > 1, "\(page):\(number + 1): \(type).\(member) is used nowhere")
            }
        }
    }

    @Test(arguments: pages) func `lines of a page wrap at 100 columns`(page: String) throws {
        for (number, line) in try lines(root.appending(path: page)).enumerated() {
            // A table row, an image or a link cannot wrap.
            if line.hasPrefix("|") || line.hasPrefix("![") || line.contains("](http") { continue }
            #expect(line.count <= 100, "\(page):\(number + 1): \(line.count) columns")
        }
    }
}
