import Autodiff
import Batches
public import Checkpoints
public import Kernels
import Models
import Objectives
public import Recipes
import Training

/// A recipe's model with the weights of a third-party file: what of them found a place, and whether the model computes what
/// the file says it should.
public struct ImportedModel {
    /// Report on every parameter of the model.
    public let report: KeyReport
    /// Parameters of the encoder that are not as the file would have them, and those that the file has besides; empty
    /// when the backbone is whole. What differs between phases anyway is not among them: mask token, last norm, head.
    public let faults: [String]
    public let parity: Parity
    private let model: LoadedModel
    private let weights: ThirdPartyWeights

    public enum Parity: Sendable, Equatable {
        case none
        /// The file has a vector, but it cannot be compared.
        case incomparable(because: String)
        case compared(ParityVector.Output, largest: Float, scale: Float)

        /// Float32 sums in another order differ by 1e-6 of the scale; another model by far more.
        public static let tolerance: Float = 1e-4

        public var differs: Bool {
            if case .compared(_, let largest, let scale) = self { largest > Self.tolerance * scale } else { false }
        }
    }

    public init(_ weights: ThirdPartyWeights, into recipe: Recipe, pool: WorkerPool) throws {
        let needsHead = recipe.kind == .finetune
        let classes =
            needsHead ? try weights.classes ?? recipe.source(recipe.data.train).classes?.count ?? 0 : 0
        let model = try LoadedModel(recipe, samples: 1, classes: classes, weights: .initial(), pool: pool)
        let prefix = model.encoderPrefix
        let (encoder, resampled) = try weights.converted(by: model.objective.encoder)
        let tensors = try NameMap([.addPrefix(prefix)]).apply(to: encoder) + weights.others
        let moved = model.store.buffers.filter { !$0.isConstant }
        let wanted =
            model.store.slots.map { WantedTensor($0.parameter.name, $0.parameter.shape.extents) }
            + moved.map { WantedTensor($0.name, $0.shape.extents, isInteger: $0.isInteger) }
        report = KeyReport(tensors, for: wanted)
        let fitting = Set(report.matched)
        for tensor in tensors where fitting.contains(tensor.name) {
            try (model.store.value(tensor.name) ?? model.store.buffer(tensor.name)).map(tensor.copy(into:))
        }
        let own = Set(try model.encoderNames().map { prefix + $0 })
        let outside = Set(weights.others.map(\.name))
        // What only one of the phases has.
        let passing = Set(
            ["mask_token", "norm.weight", "norm.bias", "fc_norm.weight", "fc_norm.bias"].map { prefix + $0 })
        faults =
            report.missing.filter { own.contains($0) && (!passing.contains($0) || $0.hasPrefix(prefix + "norm.")) }
            + report.unexpected.filter { !outside.contains($0) && !passing.contains($0) }
            + report.misshaped.map(\.name).filter(own.contains)
        (self.model, self.weights) = (model, weights)
        let unset = (report.missing + report.misshaped.map(\.name)).filter {
            $0 != prefix + "mask_token" && (own.contains($0) || needsHead)
        }
        parity = try Self.parity(of: weights, in: model, unset: unset, resampled: resampled)
    }

    /// The keys of the recipe's model section that decide over what does not fit.
    public var suspects: String {
        let form = KeyReport.text(faults, atMost: .max)
        // A block more or less explains everything in it.
        if form.contains(".norm1.weight") {
            return report.misshaped.isEmpty ? "model.depth or depths" : "model.embed_dim"
        }
        if !report.misshaped.isEmpty && report.misshaped.allSatisfy({ $0.name.hasSuffix("bias_table") }) {
            return "model.num_heads and images.size"
        }
        let keys = [
            ("qkv.bias", "key_bias"), ("pos_embed", "use_abs_pos_emb"), ("gamma_", "init_values"),
            ("rel_pos_bias.", "use_shared_rel_pos_bias"), ("attn.relative_position", "use_rel_pos_bias"),
            ("norm.", "global_pool"),
        ].filter { form.contains($0.0) }
        return keys.isEmpty ? "the model section" : keys.map { "model." + $0.1 }.joined(separator: ", ")
    }

    /// Those of the model, whichever are its own.
    var tensors: [StoredTensor] { model.store.tensors }

    /// A checkpoint without moments or position: to start from, not to resume.
    /// - Parameter program: the version that writes it.
    public func content(program: String) -> CheckpointContent {
        let recipe = model.recipe
        let state = RunState(
            iteration: weights.step, seeds: ["run": recipe.seed], recipe: recipe.keys, library: program)
        return CheckpointContent(
            state: state, tensors: [.model: tensors],
            attachments: ["resolved.yaml": Array(recipe.text(showingOrigins: false).utf8)])
    }

    private static func parity(
        of weights: ThirdPartyWeights, in model: LoadedModel, unset: [String], resampled: [String]
    ) throws -> Parity {
        guard let stored = weights.parity else { return .none }
        if let name = resampled.first { return .incomparable(because: "\(name) was resampled") }
        if let name = unset.first { return .incomparable(because: "\(name) is not from the file") }
        let own = try model.parity()
        if stored.side != own.side {
            return .incomparable(because: "its image has \(stored.side) pixels a side, the recipe \(own.side)")
        }
        guard let difference = own.difference(from: stored) else {
            return .incomparable(
                because: "it holds \(stored.output.rawValue), the recipe's model gives \(own.output.rawValue)")
        }
        return .compared(stored.output, largest: difference.largest, scale: difference.scale)
    }
}

extension ThirdPartyWeights {
    /// The encoder's tensors as this one takes them, and the names of those that changed their shape.
    fileprivate func converted(by other: any Encoder) throws -> (tensors: [StoredTensor], resampled: [String]) {
        let stored = Dictionary(encoder.map { ($0.name, $0) }) { first, _ in first }
        let before = stored.filter { $0.value.kind.isFloating }.mapValues {
            StoredWeights(shape: $0.shape, values: $0.floats)
        }
        var tensors = encoder.filter { before[$0.name] == nil }
        var resampled: [String] = []
        for (name, weights) in other.converted(before).sorted(by: { $0.key < $1.key }) {
            if let same = stored[name], before[name] == weights {
                tensors.append(same)
            } else {
                tensors.append(StoredTensor(name, Shape(weights.shape), Floats(weights.values)))
                if let old = before[name], old.shape != weights.shape { resampled.append(name) }
            }
        }
        return (tensors, resampled)
    }
}
