import Foundation
import Testing

@Suite struct BudgetTests {
    private func lines(_ file: URL) throws -> Int {
        try String(contentsOf: file, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false).count - 1
    }

    @Test func `no file is longer than 400 lines`() throws {
        for folder in ["Sources", "Tests"] {
            for file in try swiftFiles(in: folder) {
                let count = try lines(file)
                #expect(count <= 400, "\(file.lastPathComponent) has \(count) lines")
            }
        }
    }

    /// Methods that need more, each with its reason.
    private let longObjectives: Set<String> = []

    @Test func `an objective fits in 150 lines`() throws {
        let head = try Regex(#"struct \w+: (?:.*, )?Objective\b"#)
        for file in try swiftFiles(in: "Sources/Objectives")
        where try String(contentsOf: file, encoding: .utf8).contains(head) {
            let count = try lines(file)
            let isAllowed = longObjectives.contains(file.lastPathComponent)
            #expect(count <= 150 || isAllowed, "\(file.lastPathComponent) has \(count) lines")
        }
    }

    @Test func `module sizes are printed`() throws {
        var total = 0
        for module in arrows.keys.sorted() {
            let count = try swiftFiles(in: "Sources/\(module)").reduce(0) { try $0 + lines($1) }
            total += count
            print("\(module): \(count) lines")
        }
        print("all modules: \(total) lines")
        #expect(total > 0)
    }

    @Test func `crumbs belong to a neighbour`() throws {
        let small = try swiftFiles(in: "Sources").filter { try lines($0) <= 40 }
        #expect(small.count <= 40, "\(small.count) files of 40 lines or less")
    }

    @Test func `no two modules have a type of one name that must be told apart`() throws {
        let modules = arrows.keys.sorted().joined(separator: "|")
        let twin = try Regex(#"\b(?:\#(modules))\.[A-Z]\w+"#)
        var found: [String] = []
        for file in try swiftFiles(in: "Sources") {
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                let code = line.drop { $0 == " " }
                if code.hasPrefix("//") || code.contains("import ") { continue }
                for match in line.matches(of: twin) { found.append("\(file.lastPathComponent): \(line[match.range])") }
            }
        }
        #expect(found.count <= 3, "\(found)")
    }

    @Test func `sources hold no shortcut that can trap a user`() throws {
        let shortcut = try Regex(#"try!|as!|fatalError\(|TODO|FIXME"#)
        for file in try swiftFiles(in: "Sources") {
            for (number, line) in try String(contentsOf: file, encoding: .utf8).split(
                separator: "\n", omittingEmptySubsequences: false
            ).enumerated() {
                #expect(line.firstMatch(of: shortcut) == nil, "\(file.lastPathComponent):\(number + 1)")
            }
        }
    }
}
