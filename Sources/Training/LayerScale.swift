import Glibc

/// Layer-wise rates: a parameter's layer number from its name, and the scale `decay^(last - number)`. Deep layers learn
/// at the full rate, the first ones slower.
public enum LayerScale: Sendable, Equatable {
    /// SimMIM's ViT: tokens, position and patch embedding 0, block i i + 1, the rest last.
    case simMIMViT(depth: Int)
    /// SimMIM's Swin: mask token and patch embedding 0, block b of stage s 1 + b + earlier depths, a stage's downsampling
    /// with its last block, the rest last; so is the position table, by a slip of the reference, kept.
    case simMIMSwin(depths: [Int])
    /// MAE, SeiT++ and CRATE's classifier: as SimMIM's ViT, but a mask token is last.
    case maeViT(depth: Int)
    /// SparK's ResNet; depths of the four stages.
    case sparKResNet(depths: [Int])
    /// SparK's ConvNeXt; depths of the four stages.
    case sparKConvNeXt(depths: [Int])

    /// The number of the last layer, the head's.
    public var last: Int {
        switch self {
        case .simMIMViT(let depth), .maeViT(let depth): depth + 1
        case .simMIMSwin(let depths): depths.reduce(0, +) + 1
        case .sparKResNet(let depths): ResNetLayers(depths).last + 1
        case .sparKConvNeXt(let depths): (depths[2] > 9 ? 12 : 6) + 1
        }
    }

    /// The layer number of a parameter, 0...last.
    public func layer(of name: String) -> Int {
        let parts = name.split(separator: ".").map(String.init)
        func number(_ index: Int) -> Int { index < parts.count ? Int(parts[index]) ?? 0 : 0 }
        switch self {
        case .simMIMViT, .maeViT:
            if ["cls_token", "pos_embed"].contains(name) || name.hasPrefix("patch_embed") { return 0 }
            if case .simMIMViT = self, name == "mask_token" { return 0 }
            return parts[0] == "blocks" ? number(1) + 1 : last
        case .simMIMSwin(let depths):
            if name == "mask_token" || name.hasPrefix("patch_embed") { return 0 }
            guard parts[0] == "layers", parts.count > 2 else { return last }
            let earlier = depths.prefix(number(1)).reduce(0, +)
            if parts[2] == "blocks" { return 1 + earlier + number(3) }
            return parts[2] == "downsample" ? earlier + depths[number(1)] : last
        case .sparKResNet(let depths):
            return ResNetLayers(depths).layer(parts[0], block: number(1))
        case .sparKConvNeXt:
            let stage = number(1)
            if parts[0] == "downsample_layers" { return [0, 2, 3, last - 1][min(stage, 3)] }
            if parts[0] == "stages" { return [1, 2, 3 + number(2) / 3, last - 1][min(stage, 3)] }
            return last
        }
    }

    /// The scale on the rate of a parameter.
    public func scale(of name: String, decay: Double) -> Double { pow(decay, Double(last - layer(of: name))) }
}

/// SparK's grouping of ResNet blocks: deep stages count several blocks as one layer.
private struct ResNetLayers {
    let second, third: Int
    let secondLayers, thirdLayers: Int

    init(_ depths: [Int]) {
        // ResNet-152 and 200 have stages of 8 blocks and more and group by four.
        (second, third) = depths[1] >= 8 ? (4, 4) : (2, 3)
        secondLayers = (depths[1] + second - 1) / second
        thirdLayers = (depths[2] + third - 1) / third
    }

    /// The number of the last stage; the head follows.
    var last: Int { 2 + secondLayers + thirdLayers }

    func layer(_ part: String, block: Int) -> Int {
        switch part {
        case "conv1", "bn1": 0
        case "layer1": 1
        case "layer2": 2 + block / second
        case "layer3": 2 + secondLayers + block / third
        case "layer4": last
        default: last + 1
        }
    }
}
