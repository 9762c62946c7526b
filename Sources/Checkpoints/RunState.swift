public import Messages
import Platform

/// Where a run stands: all that a resumed run needs besides its tensors. Learning rates are not kept; they are computed again
/// from the iteration.
public struct RunState: Codable, Equatable, Sendable {
    /// Steps done, skipped ones included: the next step has this number.
    public var iteration: Int
    public var epoch: Int
    /// Parameter updates done (`k` of the update rules): steps without the skipped ones.
    public var updates: Int
    public var samplesSeen: Int
    /// Seeds by purpose, "run" among them.
    public var seeds: [String: UInt64]
    /// Every key of the resolved recipe with its value as text: `optimizer.rate` → `0.0015`.
    public var recipe: [String: String]
    public var data: DataFingerprint
    /// Length of the list of trainable names; gradient noise draws by position in it.
    public var trainableNames: Int
    /// Bytes of `metrics.jsonl` that belong to the steps done.
    public var metricsBytes: Int
    /// Version of the program that wrote the state.
    public var library: String
    /// State of a method besides tensors: `elr/step`, the seed of a guide.
    public var extra: [String: JSON]

    public init(
        iteration: Int, epoch: Int = 0, updates: Int = 0, samplesSeen: Int = 0, seeds: [String: UInt64] = [:],
        recipe: [String: String] = [:], data: DataFingerprint = DataFingerprint(hash: 0, counts: [:]),
        trainableNames: Int = 0, metricsBytes: Int = 0, library: String = "", extra: [String: JSON] = [:]
    ) {
        self.iteration = iteration
        self.epoch = epoch
        self.updates = updates
        self.samplesSeen = samplesSeen
        self.seeds = seeds
        self.recipe = recipe
        self.data = data
        self.trainableNames = trainableNames
        self.metricsBytes = metricsBytes
        self.library = library
        self.extra = extra
    }

    /// One number for the whole recipe, the same on every rank that read the same one.
    public static func hash(of recipe: [String: String]) -> UInt64 {
        var text = ""
        // Lengths keep `a=b` + `c` and `a` + `b=c` apart.
        for (key, value) in recipe.sorted(by: { $0.key < $1.key }) {
            text += "\(key.utf8.count) \(key) \(value.utf8.count) \(value)\n"
        }
        return XXHash64.hash(text)
    }

    /// The keys in which the recipe of a resumed run differs, sorted.
    public func changes(to now: [String: String]) -> [RecipeChange] {
        Set(recipe.keys).union(now.keys).sorted().compactMap { key in
            recipe[key] == now[key] ? nil : RecipeChange(key: key, before: recipe[key], after: now[key])
        }
    }

    /// Refuses a changed recipe unless each change is of a key that cannot touch the state or that the user allowed.
    /// A key allows the keys under it.
    /// - Returns: the changes that pass, for the log.
    public func acceptChanges(
        to now: [String: String], safe: Set<String>, allowed: Set<String> = []
    ) throws(CheckpointError) -> [RecipeChange] {
        let changes = changes(to: now)
        let refused = changes.filter { !$0.isUnder(safe) && !$0.isUnder(allowed) }
        guard refused.isEmpty else {
            throw CheckpointError(
                .mismatched, at: "recipe", found: refused.map(\.description).joined(separator: ", "),
                expected: "the recipe that the run was started with",
                hint: "--allow-change " + refused.map(\.key).joined(separator: " --allow-change "))
        }
        return changes
    }
}

/// One key of a recipe before and after.
public struct RecipeChange: Equatable, Sendable, CustomStringConvertible {
    public let key: String
    /// Nil: the key was not there.
    public let before: String?
    /// Nil: the key is gone.
    public let after: String?

    public var description: String { "\(key): \(before ?? "absent") → \(after ?? "absent")" }

    func isUnder(_ keys: Set<String>) -> Bool { keys.contains { key == $0 || key.hasPrefix($0 + ".") } }
}

/// Which data a run reads: a hash over the index (names, sizes, labels, order) and counts for the message.
public struct DataFingerprint: Codable, Equatable, Sendable {
    public var hash: UInt64
    /// For example `images`, `classes`, `train`.
    public var counts: [String: Int]

    public init(hash: UInt64, counts: [String: Int]) {
        self.hash = hash
        self.counts = counts
    }

    /// Refuses other data than the run was started with, and names the counts of both.
    public func check(now: DataFingerprint) throws(CheckpointError) {
        guard self != now else { return }
        let sameCounts = counts == now.counts
        throw CheckpointError(
            .mismatched, at: "data", found: now.text, expected: text,
            hint: sameCounts
                ? "the counts agree: files were replaced, renamed, reordered or relabelled" : "files are missing or new"
        )
    }

    private var text: String {
        let counts = counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        return "\(counts.isEmpty ? "no counts" : counts) (fingerprint \(hexadecimal(hash)))"
    }
}
