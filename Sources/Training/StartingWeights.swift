import Autodiff
import Checkpoints
import Kernels
import Models
import Objectives
import Platform
import Recipes

/// Weights that a run begins with: those of an encoder that was trained before.
public struct StartingWeights: Sendable {
    /// A run folder, its folder `checkpoints`, the folder of one step, or a safetensors file with the reference's names.
    public let path: String
    /// Take the moving average that the earlier run kept.
    public var isAveraged = false
    /// Start the head anew, whatever is stored.
    public var hasNewHead = false
    /// Begin although the encoder does not match as a whole.
    public var allowsPartial = false

    public init(_ path: String) { self.path = path }

    /// What became of the stored tensors. Names are those inside the encoder, and of the head.
    public struct KeyReport: Sendable, Equatable {
        /// The file, and how many of its tensors were taken.
        public let place: String
        public let matched: Int
        /// Parameters that keep the start value of their own.
        public let new: [String]
        /// Stored tensors that have no place in this model.
        public let unused: [String]
        /// Parameters that a stored tensor should have filled.
        public let missing: [String]
        /// Stored tensors of the encoder that this model does not know.
        public let unexpected: [String]
        public let misshaped: [String]
        /// What may be a mistake although the weights fit.
        public let remarks: [String]

        public var fits: Bool { missing.isEmpty && unexpected.isEmpty && misshaped.isEmpty }

        public var lines: [String] {
            let groups = [
                ("new", new), ("not used", unused), ("missing", missing), ("unexpected", unexpected),
                ("mis-shaped", misshaped),
            ]
            return ["\(place): \(matched) tensors taken"]
                + groups.filter { !$0.1.isEmpty }.map { "  \($0.0): \(Self.list($0.1))" } + remarks.map { "  " + $0 }
        }

        private static func list(_ names: [String]) -> String {
            names.prefix(12).joined(separator: ", ") + (names.count > 12 ? " and \(names.count - 12) more" : "")
        }
    }

    /// Fills the store with what fits.
    /// - Throws: where the encoder does not match as a whole, before anything is changed.
    func load(into store: ParameterStore, _ objective: any Objective, _ recipe: Recipe) throws -> KeyReport {
        let stored = try StoredModel(path, isAveraged: isAveraged)
        if let other = stored.recipe { try check(other, agreesWith: recipe) }
        var tensors = stored.tensors
        let heads = tensors.filter { $0.key.hasPrefix(Self.head) }
        for name in heads.keys { tensors[name] = nil }
        if !hasNewHead {
            if let own = store.slot(Self.head + "weight"), let head = heads[Self.head + "weight"],
                head.shape.first != own.parameter.shape[0]
            {
                throw TrainingError.classes(path, stored: head.shape.first ?? 0, data: own.parameter.shape[0])
            }
        }
        var found = objective.encoder.converted(tensors)
        if !hasNewHead { found.merge(heads) { own, _ in own } }
        let report = report(
            on: found, dropped: hasNewHead ? heads.keys.sorted() : [], store, place: stored.place,
            remarks: stored.recipe.map { Self.remarks(on: $0, recipe) } ?? [])
        guard report.fits || allowsPartial else { throw TrainingError.weights(report) }
        let misshaped = Set(report.misshaped)
        for (name, shape, target) in Self.targets(store) {
            guard let tensor = found[name], tensor.shape == shape, !misshaped.contains(name) else { continue }
            target.copy(from: tensor.values)
        }
        return report
    }

    private static let head = "head."
    /// What a classifier has that no encoder hands on: the head, and the norm after pooling.
    private static let begun = [head, "fc_norm."]
    /// What an encoder hands on that a classifier has no place for.
    private static let spare = ["mask_token", "norm.", head]

    private static func targets(_ store: ParameterStore) -> [(name: String, shape: [Int], values: Floats)] {
        store.slots.map { ($0.parameter.name, $0.parameter.shape.extents, store.values[$0.range]) }
            + store.buffers.compactMap { buffer in
                store.buffer(buffer.name).map { (buffer.name, buffer.shape.extents, $0) }
            }
    }

    private func report(
        on found: [String: StoredWeights], dropped: [String], _ store: ParameterStore, place: String,
        remarks: [String]
    ) -> KeyReport {
        func isOf(_ prefixes: [String]) -> (String) -> Bool {
            { name in prefixes.contains { name.hasPrefix($0) } }
        }
        let targets = Self.targets(store)
        let wanted = Set(targets.map(\.name))
        let absent = targets.map(\.name).filter { found[$0] == nil }.sorted()
        let foreign = found.keys.filter { !wanted.contains($0) }.sorted()
        let misshaped = targets.compactMap { name, shape, _ in
            found[name].flatMap { $0.shape == shape ? nil : "\(name) \($0.shape), wanted \(shape)" }
        }
        let (begun, spare) = (isOf(Self.begun), isOf(Self.spare))
        return KeyReport(
            place: place, matched: targets.count - absent.count - misshaped.count, new: absent.filter(begun),
            unused: foreign.filter(spare) + dropped, missing: absent.filter { !begun($0) },
            unexpected: foreign.filter { !spare($0) }, misshaped: misshaped, remarks: remarks)
    }

    /// Pictures normalised in another way than the encoder has seen them.
    private static func remarks(on other: Recipe, _ recipe: Recipe) -> [String] {
        recipe.changes(from: other).filter { $0.path.hasPrefix("images.normalize") }.map {
            "the encoder has seen other pictures: \($0.path) \($0.before ?? "absent"), here \($0.after ?? "absent")"
        }
    }

    private func check(_ other: Recipe, agreesWith recipe: Recipe) throws {
        let (before, now) = (try Catalog.encoder(of: other).lineage, try Catalog.encoder(of: recipe).lineage)
        var differences: [String] = []
        if other.model.kind != recipe.model.kind {
            differences.append("model.kind \(other.model.kind), here \(recipe.model.kind)")
        } else {
            for (key, value) in before.sorted(by: { $0.key < $1.key }) where now[key] != value {
                differences.append("model.\(key) \(value), here \(now[key] ?? "none")")
            }
        }
        guard differences.isEmpty else { throw TrainingError.encoder(path, differences) }
    }
}

/// The floating tensors of a file or checkpoint, under their names inside the encoder.
private struct StoredModel {
    let place: String
    /// That they were trained by, if it is known.
    let recipe: Recipe?
    let tensors: [String: StoredWeights]

    /// Tables that every model makes for itself.
    private static let rebuilt = ["relative_position_index", "relative_coords_table", "attn_mask"]

    init(_ path: String, isAveraged: Bool) throws {
        let file: Safetensors
        if path.hasSuffix(".safetensors"), FileStatus(path, followingLinks: true)?.isFile == true {
            file = try Safetensors(path)
            recipe = nil
        } else {
            let checkpoint = try CheckpointPlace(path).newestSound()
            if isAveraged && !checkpoint.holds(.average) {
                throw CheckpointError(
                    .mismatched, at: checkpoint.path, found: "no averaged weights", expected: "ema.safetensors",
                    hint: "the run kept no average: leave --average out")
            }
            file = try checkpoint.open(isAveraged ? .average : .model)
            recipe = try Recipe.load(from: checkpoint)
        }
        place = file.path
        let names = file.names.map { name in isAveraged && name.hasPrefix("ema/") ? String(name.dropFirst(4)) : name }
        let prefix =
            recipe.map { Catalog.method(of: $0).encoderPrefix }
            ?? (names.contains { $0.hasPrefix("encoder.") } ? "encoder." : "")
        var tensors: [String: StoredWeights] = [:]
        for (tensor, name) in zip(file.tensors, names) where name.hasPrefix(prefix) && tensor.kind.isFloating {
            guard !Self.rebuilt.contains(where: { name.hasSuffix($0) }) else { continue }
            tensors[String(name.dropFirst(prefix.count))] = StoredWeights(shape: tensor.shape, values: tensor.floats)
        }
        self.tensors = tensors
    }
}
