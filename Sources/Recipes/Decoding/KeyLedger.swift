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

    /// Pairs absent keys with unknown ones that look like them; required keys choose first.
    func renames(for unknown: [String]) -> [String: String] {
        var free = unknown
        var pairs: [String: String] = [:]
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
