import Testing

import Recipes

@Suite struct TypoTests {
    /// A way to misspell a key.
    private static func mutations(of key: String, turn: Int) -> String {
        var letters = Array(key)
        let middle = letters.count / 2
        switch turn % 5 {
        case 0: letters.remove(at: middle)
        case 1: letters.swapAt(middle, letters.count == 1 ? 0 : middle - 1)
        case 2: letters[middle] = letters[middle] == "x" ? "y" : "x"
        case 3: letters.insert("q", at: middle)
        default: letters.append("s")
        }
        let result = String(letters)
        // Swapping two equal letters changes nothing.
        return result == key ? key + "z" : result
    }

    /// (file, line, key, misspelt) for 100 key lines taken evenly from all shipped recipes.
    private static let typos: [(path: String, line: Int, key: String, misspelt: String)] = {
        var all: [(String, Int, String)] = []
        for path in shipped {
            let text = String(decoding: (try? readFromDisk(path, 1 << 20)) ?? [], as: UTF8.self)
            for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
                let key = line.prefix { $0 != ":" }.drop { $0 == " " }
                if line.contains(":"), !line.hasPrefix("#"), !key.isEmpty { all.append((path, index, String(key))) }
            }
        }
        return (0..<100).map { turn in
            let (path, line, key) = all[turn * all.count / 100]
            return (path, line, key, mutations(of: key, turn: turn))
        }
    }()

    @Test func `of 100 misspelt keys all are refused and 90 get the right suggestion`() throws {
        var refused = 0
        var suggested = 0
        for typo in Self.typos {
            let text = String(decoding: try readFromDisk(typo.path, 1 << 20), as: UTF8.self)
            var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            lines[typo.line] = lines[typo.line].replacing("\(typo.key):", with: "\(typo.misspelt):", maxReplacements: 1)
            let changed = lines.joined(separator: "\n")
            do {
                _ = try Recipe.load(typo.path, catalogue: .all) { path, limit in
                    try path == typo.path ? Array(changed.utf8.prefix(limit)) : readFromDisk(path, limit)
                }
            } catch {
                refused += 1
                let right = error.issues.contains { issue in
                    guard case .file(typo.path, line: typo.line + 1, column: _) = issue.place else { return false }
                    return issue.suggestion == typo.key
                }
                if right { suggested += 1 }
            }
        }
        #expect(Self.typos.count == 100)
        #expect(refused == 100)
        #expect(suggested >= 90, "\(suggested) of 100")
    }

    @Test func `a misspelt key is one error with its line and the near key`() {
        let text = starter(("mask_ratio: 0.6", "mask_raito: 0.6"))
        #expect(errors(text) == ["a.yaml:30: objective: unknown key 'mask_raito'; did you mean 'mask_ratio'?"])
    }

    @Test func `what stands under a misspelt section is checked in the same run`() {
        let text = starter(("schedule:", "shedule:"), ("epochs: 5", "epochs: five"))
        #expect(
            errors(text) == [
                "a.yaml:52: unknown key 'shedule'; did you mean 'schedule'?",
                "a.yaml:54: schedule.epochs: a whole number expected, found 'five'",
            ])
    }

    @Test func `Swift's spelling of a key leads to the recipe's`() {
        let found = errors(starter(("weight_decay: 0.05", "weightDecay: 0.05")))
        #expect(found.count == 1)
        #expect(found.first?.hasSuffix("did you mean 'weight_decay'?") == true)
    }

    @Test func `a key that stands nowhere near is named as missing at its section`() {
        #expect(
            errors(starter(("  max_norm: 5\n", "  strength: 5\n"))).contains {
                $0.contains("clip: missing key 'max_norm'")
            })
    }

    @Test func `a misspelt kind is named and its keys are judged as meant`() {
        let text = starter(("kind: vit", "kind: vti"), ("patch_size: 4 ", "pach_size: 4 "))
        let kinds = (Catalogue.all.kinds["model"] ?? [:]).keys.sorted().joined(separator: ", ")
        #expect(
            errors(text) == [
                "a.yaml:34: model.kind: one of \(kinds) expected, found 'vti'; did you mean 'vit'?",
                "a.yaml:36: model: unknown key 'pach_size'; did you mean 'patch_size'?",
            ])
    }

    @Test func `a kind unlike any other is the only error of its section`() {
        let text = starter(("kind: adamw", "kind: muon2000"))
        let found = errors(text)
        #expect(found.count == 1)
        #expect(found.first?.contains("one of adam, adamw, lamb, lars, lion, sgd expected, found 'muon2000'") == true)
    }

    @Test(arguments: [("ratio", "ration", 1), ("epochs", "epohcs", 1), ("a", "", 1), ("norm", "firm", 2)])
    func `edits are counted with swaps of neighbours as one`(a: String, b: String, edits: Int) {
        #expect(Spelling.distance(Array(a.utf8), Array(b.utf8)) == edits)
    }
}
