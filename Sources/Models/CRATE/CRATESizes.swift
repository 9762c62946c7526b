import Recipes

/// The extents of a stack of CRATE layers.
public struct CRATESizes: Sendable, Equatable {
    /// Channels of a token.
    public let width: Int
    public let depth: Int
    /// Subspaces, and the channels of each.
    public let heads, headWidth: Int

    /// Epsilon of every norm inside a layer, and of all norms of the classifier.
    static let epsilon = 1e-5

    /// - Parameter headWidth: channels of a subspace; nil: the width cut into equal heads, rounded down.
    public init(width: Int, depth: Int, heads: Int, headWidth: Int? = nil) {
        (self.width, self.depth, self.heads) = (width, depth, heads)
        self.headWidth = headWidth ?? width / max(heads, 1)
    }

    /// Named sizes; micro is for small images.
    public enum Preset: String, CaseIterable, Sendable, Decodable {
        case micro, tiny, small, base, large
    }

    public init(_ preset: Preset) {
        switch preset {
        case .micro: self.init(width: 96, depth: 6, heads: 4)
        case .tiny: self.init(width: 384, depth: 12, heads: 6)
        case .small: self.init(width: 576, depth: 12, heads: 12)
        case .base: self.init(width: 768, depth: 12, heads: 12)
        case .large: self.init(width: 1024, depth: 24, heads: 16)
        }
    }

    /// A preset, or the three numbers instead.
    init(_ preset: Preset?, width: Int?, depth: Int?, heads: Int?, headWidth: Int? = nil) {
        if let preset {
            self.init(preset)
        } else {
            self.init(width: width ?? 0, depth: depth ?? 0, heads: heads ?? 0, headWidth: headWidth)
        }
    }

    /// λ and η leave no trace in the shapes of the weights, and change what they compute.
    func lineage(patch: Int, step: Double, threshold: Double) -> [String: String] {
        [
            "embed_dim": "\(width)", "depth": "\(depth)", "num_heads": "\(heads)", "head_dim": "\(headWidth)",
            "patch_size": "\(patch)", "step_size": "\(step)", "lambda": "\(threshold)",
        ]
    }

    static let meanings = [
        "preset": Preset.allCases.map { preset in
            let sizes = CRATESizes(preset)
            return "\(preset) \(sizes.width)/\(sizes.depth)/\(sizes.heads)"
        }.joined(separator: ", ") + " (embed_dim/depth/num_heads).",
        "embed_dim": "Channels of a token; with depth and num_heads instead of a preset.",
        "depth": "Layers.",
        "num_heads": "Subspaces of the attention.",
        "patch_size": "Side of a token's patch, pixels.",
        "lambda": "Weight of the sparsity term; step_size × lambda is taken from every entry.",
        "step_size": "Step size of the sparsification.",
        "global_pool": "What a classifier's head reads: token, the class token, or avg, the mean over patches.",
    ]

    /// Rules of the keys that every CRATE section has.
    static func check(patch: Int, lambda: Double, stepSize: Double, _ here: Here) {
        here.require(patch >= 1, at: "patch_size", "at least 1 pixel expected, found \(patch)")
        here.require(lambda >= 0, at: "lambda", "0 or more expected, found \(lambda)")
        here.require(stepSize > 0, at: "step_size", "more than 0 expected, found \(stepSize)")
    }

    func check() throws(ModelError) {
        guard width > 0, depth > 0, heads > 0, headWidth > 0 else {
            throw ModelError(
                "model", found: "width \(width), depth \(depth), heads \(heads) of \(headWidth)",
                expected: "at least 1 of each", hint: "name a preset, or embed_dim, depth and num_heads")
        }
    }
}
