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

    @Test func `an objective fits in 150 lines`() throws {
        for file in try swiftFiles(in: "Sources/Objectives") {
            let count = try lines(file)
            #expect(count <= 150, "\(file.lastPathComponent) has \(count) lines")
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
