import Models

/// A ViT by the keys of the reference's configuration; `size` stands for `embed_dim`, `depth` and `num_heads`.
struct SimMIMViT: Decodable {
    let size: VisionTransformer.Size?
    let embed_dim, depth, num_heads: Int?
    let patch_size: Int
    let mlp_ratio, init_values, ln_eps: Double?
    let qkv_bias: Bool?
    let use_ape, use_rpb, use_shared_rpb, use_mean_pooling: Bool
    let drop_path_rate: Double

    var settings: VisionTransformer.Settings {
        var settings =
            size.map { VisionTransformer.Settings($0, patch: patch_size) }
            ?? VisionTransformer.Settings(
                width: embed_dim ?? 0, depth: depth ?? 0, heads: num_heads ?? 0, patch: patch_size)
        settings.mlpRatio = mlp_ratio ?? settings.mlpRatio
        settings.hasQKVBias = qkv_bias ?? true
        settings.layerScale = init_values
        settings.usesAbsolutePositions = use_ape
        settings.usesBlockPositionBias = use_rpb
        settings.usesSharedPositionBias = use_shared_rpb
        settings.pooling = use_mean_pooling ? .mean : .classToken
        settings.dropPathRate = drop_path_rate
        settings.epsilon = ln_eps ?? settings.epsilon
        return settings
    }
}

/// A Swin by the keys of the reference's configuration.
struct SimMIMSwin: Decodable {
    let embed_dim: Int
    let depths, num_heads: [Int]
    let patch_size, window_size: Int
    let mlp_ratio, qk_scale, ln_eps: Double?
    let qkv_bias: Bool?
    let ape, patch_norm: Bool
    let drop_path_rate: Double

    var settings: SwinTransformer.Settings {
        var settings = SwinTransformer.Settings(
            width: embed_dim, depths: depths, heads: num_heads, patch: patch_size, window: window_size)
        settings.mlpRatio = mlp_ratio ?? settings.mlpRatio
        settings.hasQKVBias = qkv_bias ?? true
        settings.queryScale = qk_scale
        settings.usesAbsolutePositions = ape
        settings.hasPatchNorm = patch_norm
        settings.dropPathRate = drop_path_rate
        settings.epsilon = ln_eps ?? settings.epsilon
        return settings
    }
}
