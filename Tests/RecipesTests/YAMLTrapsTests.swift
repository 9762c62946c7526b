import Glibc
import Testing

import Recipes

@Suite struct YAMLTrapsTests {
    /// Nanoseconds this thread has computed: waiting for a busy machine does not count.
    private func clock() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    /// Errors of a text and the seconds they took.
    private func timed(_ text: String) -> ([String], seconds: Double) {
        var found: [String] = []
        let start = clock()
        found = errors(text)
        return (found, Double(clock() - start) / 1e9)
    }

    @Test(arguments: ["1e-4", "1.e-4", "0.0001", ".0001", "1E-4", "+1e-4"])
    func `a plain decimal is a number`(text: String) throws {
        #expect(try load(starter(("base_lr: 1e-3", "base_lr: \(text)"))).schedule.baseLR == 1e-4)
    }

    @Test(arguments: [
        "\"1e-4\"", "'1e-4'", "017", "1:30", "1_000", "0x1F", ".inf", "nan", "1e999", "no", "~", "[1]", "{a: 1}",
    ])
    func `anything else is no number`(text: String) {
        let (found, seconds) = timed(starter(("base_lr: 1e-3", "base_lr: \(text)")))
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("a.yaml:55: schedule.base_lr: a number expected, found ") == true)
        #expect(seconds < 1)
    }

    @Test(arguments: ["017", "1:30", "8.0", "1e3", "\"8\"", "99999999999999999999", ""])
    func `only plain digits are a whole number`(text: String) {
        #expect(errors(starter(("global: 256 ", "global: \(text) "))).count == 1)
    }

    @Test(arguments: ["no", "yes", "on", "017", "1:30", "null"])
    func `text stays text however it looks to YAML 1.1`(word: String) throws {
        let recipe = try load(starter(("about: SimMIM on the built-in images.", "about: \"\(word)\"")))
        #expect(recipe.about == word)
        guard word != "null" else { return }
        #expect(try load(starter(("about: SimMIM on the built-in images.", "about: \(word)"))).about == word)
    }

    @Test(arguments: ["no", "yes", "on", "True", "\"true\"", "1"])
    func `a boolean is true or false and nothing else`(word: String) {
        let found = errors(starter(("use_abs_pos_emb: false", "use_abs_pos_emb: \(word)")))
        #expect(found.count == 1)
        #expect(found.first?.contains("model.use_abs_pos_emb: true or false expected") == true)
    }

    @Test(arguments: [
        ("clip:\n\tnorm: 5", "a tab"), ("clip:\n  max_norm: 5\n  max_norm: 6", "'max_norm' given twice"),
        ("clip:\n  <<: {max_norm: 5}", "merge keys"), ("clip:\n  max_norm: !!float 5", "the tag"),
        ("clip:\n  max_norm: !!str 5", "the tag"), ("clip: !mine\n  max_norm: 5", "the tag"),
        ("clip:\n  max_norm: 5\n---\nschema: 1", "second document"), ("clip:\n  max_norm: [5", "not YAML"),
        ("clip:\n  max_norm: *nowhere", "alias"), ("clip:\n  ? [a]\n  : 5", "plain name"),
    ])
    func `a trap of YAML is refused with its line`(text: String, reason: String) {
        let (found, seconds) = timed(starter(("clip:\n  max_norm: 5", text)))
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("a.yaml:") == true)
        #expect(found.first?.contains(reason) == true, "\(found)")
        #expect(seconds < 1)
    }

    @Test func `an alias to a few values is read`() throws {
        let text = starter(
            ("std: [0.25, 0.25, 0.25]", "std: *grey"), ("mean: [0.5, 0.5, 0.5]", "mean: &grey [0.5, 0.5, 0.5]"))
        #expect(try load(text).images.normalize.std == [0.5, 0.5, 0.5])
    }

    @Test(arguments: ["value", "key", "flow key"])
    func `an alias bomb is refused in under a second`(form: String) {
        var text = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        for level in 1..<30 {
            let items = [String](repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            switch form {
            case "value": text += "a\(level): &a\(level) [\(items)]\n"
            case "key": text += "? &a\(level) [\(items)]\n: 1\n"
            default: text += "? &a\(level) {[\(items)]: 1}\n: 1\n"
            }
        }
        let (found, seconds) = timed(text)
        #expect(found.count == 1)
        #expect(found.first?.contains(form == "value" ? "more than 100 values" : "plain name") == true)
        #expect(seconds < 1)
    }

    @Test(arguments: ["[", "- ", "{b: ", "? "])
    func `deep nesting is refused in under a second`(opening: String) {
        let (found, seconds) = timed(String(repeating: opening, count: 5_000))
        #expect(found.count == 1)
        #expect(found.first?.contains("nested deeper") == true)
        #expect(seconds < 1)
    }

    @Test func `a file of 10 MB is refused in under a second`() {
        let (found, seconds) = timed(Recipe.starter + String(repeating: "# filling\n", count: 1_000_000))
        #expect(found == ["a.yaml:1: the file has more than 1 MiB; a recipe is a few KiB of YAML"])
        #expect(seconds < 1)
    }

    @Test(arguments: [1_900, 2_500, 80_000])
    func `thousands of keys are refused in under a second`(count: Int) {
        let (found, seconds) = timed(Recipe.starter + (0..<count).map { "k\($0): 1\n" }.joined())
        #expect(count < 2_000 ? found.count == count : found.count == 1)
        #expect(seconds < 1)
    }

    @Test func `bytes that are not UTF-8 are refused with their line`() throws {
        let bytes = Array("schema: 1\nabout: ".utf8) + [0xE9, 0x0A]
        let error = #expect(throws: RecipeError.self) { try Recipe.load("a.yaml", catalogue: .all) { _, _ in bytes } }
        #expect(error?.description == "a.yaml:2: the text is not valid UTF-8; save the file as UTF-8")
    }

    @Test(arguments: ["", "# nothing\n", "- 1\n", "5\n"])
    func `a text without sections is refused`(text: String) {
        #expect(errors(text).count == 1)
    }
}
