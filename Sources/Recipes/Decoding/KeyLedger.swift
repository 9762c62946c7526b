/// Which keys a type asked a section for: what was never asked for is unknown, what was asked for in vain is missing.
final class KeyLedger {
    /// Every key asked for, as written in a recipe, in the order of the type's properties.
    private(set) var asked: [String] = []
    /// Required keys that were not there.
    private(set) var missing: [String] = []
    /// Keys that were not there, required or not.
    private var absent: [String] = []
    /// The type wants keys, not a list or a scalar.
    var isKeyed = false
    /// The key that decides which other keys there are could not be read.
    private(set) var isUnclear = false
    /// From the right name of a key to the misspelt one that stands for it.
    private let renames: [String: String]

    init(renames: [String: String]) {
        self.renames = renames
    }

    /// The name under which the key stands in the recipe.
    func written(_ key: String) -> String { renames[key] ?? key }

    func ask(_ key: String) {
        if !asked.contains(key) { asked.append(key) }
    }

    func lacks(_ key: String, isRequired: Bool) {
        if !absent.contains(key) { absent.append(key) }
        if isRequired, !missing.contains(key) { missing.append(key) }
    }

    /// Without its kind a section has no known keys: only the kind itself can be called missing.
    func kindIsUnclear() { isUnclear = true }

    func knows(_ key: String) -> Bool { asked.contains(key) }

    /// The unknown keys that schema 1 had for keys asked for.
    func oldNames(
        _ unknown: [RecipeNode.Entry], _ path: String, parts: Set<String>
    ) -> [String: Schema1.Rule] {
        var rules: [String: Schema1.Rule] = [:]
        for entry in unknown {
            rules[entry.key] = Schema1.rule(for: entry.key, in: path) {
                knows($0.new) || parts.contains($0.new)
            }
        }
        return rules
    }

    /// Pairs absent keys with unknown ones that are their old names or look like them; required keys choose first.
    func renames(for unknown: [String], _ old: [String: Schema1.Rule]) -> [String: String] {
        var free = unknown.filter { old[$0] == nil }
        var pairs: [String: String] = [:]
        for (key, rule) in old where absent.contains(rule.new) {
            if case .name = rule.change { pairs[rule.new] = key }
        }
        for key in missing + absent.filter({ !missing.contains($0) }) {
            guard let near = Spelling.nearest(to: key, among: free),
                Spelling.nearest(to: near, among: absent) == key
            else { continue }
            pairs[key] = near
            free.removeAll { $0 == near }
        }
        return pairs
    }
}
