extension VisionTransformer {
    /// Named sizes, all with heads of 64 channels; micro is for small images.
    public enum Size: String, CaseIterable, Sendable, Decodable {
        case micro, tiny, small, base, large

        public var width: Int {
            switch self {
            case .micro, .tiny: 192
            case .small: 384
            case .base: 768
            case .large: 1024
            }
        }
        public var depth: Int {
            switch self {
            case .micro: 6
            case .tiny, .small, .base: 12
            case .large: 24
            }
        }
        public var heads: Int {
            switch self {
            case .micro, .tiny: 3
            case .small: 6
            case .base: 12
            case .large: 16
            }
        }
    }

    /// The bias that a block's attention adds to queries, keys and values.
    public enum QKVBias: Sendable, Equatable {
        case none
        /// BEiT and SimMIM: `q_bias` and `v_bias`.
        case queryAndValue
        /// The original ViT, DeiT and MAE: `qkv.bias`. Softmax cancels the part of the keys, which so gets no gradient.
        case full
    }

    /// The shape of the network. Keys are those of the reference's configuration; `size` stands for
    /// `embed_dim`, `depth` and `num_heads`.
    public struct Settings: Sendable, Equatable {
        public var width: Int
        public var depth: Int
        public var heads: Int
        /// Side of a patch in pixels.
        public var patch: Int
        /// Width of the hidden layer over the width of a token.
        public var mlpRatio = 4.0
        public var qkvBias = QKVBias.queryAndValue
        /// Initial value of LayerScale, γ; nil = no LayerScale.
        public var layerScale: Double? = 0.1
        public var usesAbsolutePositions = false
        /// A relative position bias of each block's own.
        public var usesBlockPositionBias = false
        /// One relative position bias for all blocks.
        public var usesSharedPositionBias = false
        /// Features are a norm of the mean over patches; otherwise the class token after the final norm.
        public var usesMeanPooling = false
        /// Drop rate of the last block, 0..<1; it grows linearly from 0.
        public var dropPathRate = 0.0
        public var epsilon = 1e-6  // the reference's value; PyTorch's own default is 1e-5

        public init(_ size: Size, patch: Int) {
            self.init(width: size.width, depth: size.depth, heads: size.heads, patch: patch)
        }

        public init(width: Int, depth: Int, heads: Int, patch: Int) {
            self.width = width
            self.depth = depth
            self.heads = heads
            self.patch = patch
        }
    }
}

extension VisionTransformer.Settings: Decodable {
    private enum CodingKeys: String, CodingKey {
        case size
        case width = "embed_dim"
        case depth
        case heads = "num_heads"
        case patch = "patch_size"
        case mlpRatio = "mlp_ratio"
        case qkvBias = "qkv_bias"
        case layerScale = "init_values"
        case usesAbsolutePositions = "use_ape"
        case usesBlockPositionBias = "use_rpb"
        case usesSharedPositionBias = "use_shared_rpb"
        case usesMeanPooling = "use_mean_pooling"
        case dropPathRate = "drop_path_rate"
        case epsilon = "ln_eps"
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let patch = try values.decode(Int.self, forKey: .patch)
        if let size = try values.decodeIfPresent(VisionTransformer.Size.self, forKey: .size) {
            self.init(size, patch: patch)
        } else {
            self.init(
                width: try values.decode(Int.self, forKey: .width), depth: try values.decode(Int.self, forKey: .depth),
                heads: try values.decode(Int.self, forKey: .heads), patch: patch)
        }
        mlpRatio = try values.decodeIfPresent(Double.self, forKey: .mlpRatio) ?? mlpRatio
        if try values.decodeIfPresent(Bool.self, forKey: .qkvBias) == false { qkvBias = .none }
        layerScale = try values.decodeIfPresent(Double.self, forKey: .layerScale)
        usesAbsolutePositions = try values.decode(Bool.self, forKey: .usesAbsolutePositions)
        usesBlockPositionBias = try values.decode(Bool.self, forKey: .usesBlockPositionBias)
        usesSharedPositionBias = try values.decode(Bool.self, forKey: .usesSharedPositionBias)
        usesMeanPooling = try values.decode(Bool.self, forKey: .usesMeanPooling)
        dropPathRate = try values.decode(Double.self, forKey: .dropPathRate)
        epsilon = try values.decodeIfPresent(Double.self, forKey: .epsilon) ?? epsilon
    }
}

extension VisionTransformer.Settings {
    /// Refuses extents that do not divide.
    func check(_ image: ImageSpec) throws(ModelError) {
        guard patch > 0, image.side > 0, image.side % patch == 0 else {
            throw ModelError(
                "model.patch_size", found: "\(patch)", expected: "a divisor of the image side \(image.side)",
                hint: "change the patch or the crop")
        }
        guard heads > 0, width > 0, width % heads == 0 else {
            throw ModelError(
                "model.num_heads", found: "\(heads)", expected: "a divisor of embed_dim \(width)",
                hint: "each head takes an equal share of the channels")
        }
        guard dropPathRate >= 0, dropPathRate < 1 else {
            throw ModelError(
                "model.drop_path_rate", found: "\(dropPathRate)", expected: "a probability in 0..<1",
                hint: "0 switches stochastic depth off")
        }
    }
}
