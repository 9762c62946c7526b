import Autodiff
import Batches
public import Checkpoints
import Kernels
import Messages
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
    public struct Report: Sendable, Equatable {
        /// The file.
        public let place: String
        public let keys: KeyReport
        /// A stored head that was not wanted.
        public let dropped: [String]
        /// What may be a mistake although the weights fit.
        public let remarks: [String]
        /// What the names of this model's head begin with.
        let head: String
        /// What a classifier has that no encoder hands on: the head, and the norm after pooling.
        let begun: [String]

        /// What an encoder hands on that a classifier has no place for, heads of other models too.
        private var spare: [String] { ["mask_token", "norm.", "head.", head] }

        /// Parameters that keep a start value of their own, as they should.
        public var new: [String] { keys.missing.filter { Self.isOf(begun, $0) }.sorted() }
        /// Stored tensors that have no place in a classifier.
        public var unused: [String] { keys.unexpected.filter { Self.isOf(spare, $0) } + dropped }
        /// Parameters that a stored tensor should have filled.
        public var missing: [String] { keys.missing.filter { !Self.isOf(begun, $0) } }
        /// Stored tensors of the encoder that this model does not know.
        public var unexpected: [String] { keys.unexpected.filter { !Self.isOf(spare, $0) } }

        public var fits: Bool { missing.isEmpty && unexpected.isEmpty && keys.misshaped.isEmpty }

        public var lines: [String] {
            let groups = [
                ("new", new), ("not used", unused), ("missing", missing), ("unexpected", unexpected),
                ("mis-shaped", keys.misshaped.map(\.description)),
            ]
            return ["\(place): \(keys.matched.count) tensors taken"]
                + groups.filter { !$0.1.isEmpty }.map { "  \($0.0): \(KeyReport.text($0.1, atMost: 12))" }
                + remarks.map { "  " + $0 }
        }

        private static func isOf(_ prefixes: [String], _ name: String) -> Bool {
            prefixes.contains { name.hasPrefix($0) }
        }
    }

    /// Fills the store with what fits.
    /// - Parameters:
    ///   - encoder: whose names those of the store are.
    ///   - model: its section in `recipe`.
    /// - Throws: where the encoder does not match as a whole, before anything is changed.
    func load(
        into store: ParameterStore, _ encoder: any Encoder, as model: Section, of recipe: Recipe
    ) throws -> Report {
        let stored = try StoredModel(path, isAveraged: isAveraged)
        if let other = stored.recipe { try check(other, agreesWith: model) }
        let (weight, head) = (encoder.headName + ".weight", encoder.headPrefix)
        let heads = stored.tensors.filter { $0.key.hasPrefix(head) }
        if !hasNewHead, let stored = heads[weight], let own = store.slot(weight),
            stored.shape.first != own.parameter.shape[0]
        {
            throw TrainingError.classes(path, stored: stored.shape.first ?? 0, data: own.parameter.shape[0])
        }
        let inner = encoder.converted(stored.tensors.filter { heads[$0.key] == nil })
        let tensors = inner.merging(hasNewHead ? [:] : heads) { own, _ in own }.map { name, weights in
            StoredTensor(name, Shape(weights.shape), Floats(weights.values))
        }
        let targets = Self.targets(store)
        let report = Report(
            place: stored.place, keys: KeyReport(tensors, for: targets.map { WantedTensor($0.name, $0.shape) }),
            dropped: hasNewHead ? heads.keys.sorted() : [],
            remarks: stored.recipe.map { Self.remarks(on: $0, recipe) } ?? [], head: head,
            begun: [head] + encoder.freshNames)
        guard report.fits || allowsPartial else { throw TrainingError.weights(report) }
        let memory = Dictionary(targets.map { ($0.name, $0.values) }) { first, _ in first }
        let fitting = Set(report.keys.matched)
        for tensor in tensors where fitting.contains(tensor.name) { try memory[tensor.name].map(tensor.copy(into:)) }
        return report
    }

    /// Fills an encoder of `recipe` from a run or a file, and says what became of the stored tensors.
    /// - Parameter codebook: of the data; nil for images.
    static func reader(
        for recipe: Recipe, codebook: String?
    ) -> (_ path: String, ParameterStore, any Encoder, _ model: Section) throws -> [String] {
        { path, store, encoder, model in
            let weights = StartingWeights(path)
            try weights.checkCodebook(codebook)
            return try weights.load(into: store, encoder, as: model, of: recipe).lines
        }
    }

    /// In the state of a run: the codebook whose ids it has learned from.
    static let codebookKey = "start/codebook"

    /// A file that is no part of a checkpoint does not tell its codebook.
    /// - Parameter own: the codebook of the data; nil for images.
    func checkCodebook(_ own: String?) throws {
        guard let own else { return }
        if FileStatus(path, followingLinks: true)?.isFolder == true {
            try CheckpointPlace(path).newestValid().checkCodebook(own)
        } else {
            let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
            try (try? Checkpoint(folder))?.checkCodebook(own)
        }
    }

    private static func targets(_ store: ParameterStore) -> [(name: String, shape: [Int], values: Floats)] {
        store.slots.map { ($0.parameter.name, $0.parameter.shape.extents, store.values[$0.range]) }
            + store.buffers.compactMap { buffer in
                store.buffer(buffer.name).map { (buffer.name, buffer.shape.extents, $0) }
            }
    }

    /// Images normalised in another way than the encoder has seen them.
    private static func remarks(on other: Recipe, _ recipe: Recipe) -> [String] {
        recipe.changes(from: other).filter { $0.path.hasPrefix("images.normalize") }.map {
            "the encoder has seen other images: \($0.path) \($0.before ?? "absent"), here \($0.after ?? "absent")"
        }
    }

    private func check(_ other: Recipe, agreesWith model: Section) throws {
        let (before, now) = (try Catalog.encoder(of: other).lineage, try Catalog.own.encoder(model).lineage)
        var differences: [String] = []
        if other.model.kind != model.kind {
            differences.append("\(model.path).kind \(other.model.kind), here \(model.kind)")
        } else {
            for (key, value) in before.sorted(by: { $0.key < $1.key }) where now[key] != value {
                differences.append("\(model.path).\(key) \(value), here \(now[key] ?? "none")")
            }
        }
        guard differences.isEmpty else { throw TrainingError.encoder(path, differences) }
    }
}

extension Checkpoint {
    /// Ids of another codebook mean something else: weights that know them would be worth nothing.
    /// - Parameter own: the codebook of the data; nil for images.
    public func checkCodebook(_ own: String?) throws(TrainingError) {
        guard let own, let learned = state.extra[StartingWeights.codebookKey]?.string, learned != own else {
            return
        }
        throw .encoder(path, ["learned from ids of the codebook \(learned), here \(own)"])
    }
}

/// The floating tensors of a file or checkpoint, under their names inside the encoder.
private struct StoredModel {
    let place: String
    /// The recipe that they were trained by, if it is known.
    let recipe: Recipe?
    let tensors: [String: StoredWeights]

    init(_ path: String, isAveraged: Bool) throws {
        let file: Safetensors
        if path.hasSuffix(".safetensors"), FileStatus(path, followingLinks: true)?.isFile == true {
            file = try Safetensors(path)
            recipe = nil
        } else {
            let checkpoint = try CheckpointPlace(path).newestValid()
            file = try isAveraged ? checkpoint.openEMA() : checkpoint.open(.model)
            recipe = try Recipe.load(from: checkpoint)
        }
        place = file.path
        // `module.` comes from files of PyTorch's data-parallel scripts.
        let wrapping = isAveraged ? "ema/" : "module."
        let names = file.names.map { $0.hasPrefix(wrapping) ? String($0.dropFirst(wrapping.count)) : $0 }
        let prefix =
            recipe.map { Catalog.method(of: $0).encoderPrefix }
            ?? Catalog.own.objectives.map { $0.encoderPrefix }.filter { !$0.isEmpty }.first { prefix in
                names.contains { $0.hasPrefix(prefix) }
            } ?? ""
        var tensors: [String: StoredWeights] = [:]
        for (tensor, name) in zip(file.tensors, names) where name.hasPrefix(prefix) {
            let values: [Float]
            if tensor.kind.isFloating {
                values = tensor.floats
            } else if tensor.kind.isInteger && tensor.shape.isEmpty {
                values = tensor.integers.map { Float($0) }  // a counter; tables of integers are the model's own
            } else {
                continue
            }
            tensors[String(name.dropFirst(prefix.count))] = StoredWeights(shape: tensor.shape, values: values)
        }
        self.tensors = tensors
    }
}
