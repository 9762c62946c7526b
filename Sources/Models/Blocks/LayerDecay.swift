import Glibc

/// Layer-wise learning-rate decay: a parameter's layer number from its name, and the scale `decay^(last - number)` on
/// its learning rate. Deep layers learn at the full learning rate, the first ones slower.
public struct LayerDecay: Sendable {
    /// The number of the last layer, the head's.
    public let last: Int
    private let number: @Sendable (String) -> Int

    /// - Parameter number: the layer of a parameter from its name inside the encoder, 0...`last`.
    public init(last: Int, number: @escaping @Sendable (String) -> Int) {
        self.last = last
        self.number = number
    }

    /// The layer number of a parameter, 0...last.
    public func layer(of name: String) -> Int { number(name) }

    /// The scale on the learning rate of a parameter.
    public func scale(of name: String, decay: Double) -> Double { pow(decay, Double(last - layer(of: name))) }

    /// SimMIM's ViT: tokens, position and patch embedding 0, block i i + 1, the rest last; so is a position bias that
    /// all blocks share.
    public static func simMIMViT(depth: Int) -> LayerDecay {
        .init(last: depth + 1) { $0 == "mask_token" ? 0 : viT($0, depth: depth) }
    }

    /// MAE, SeiT++ and the encoder of CRATE-MAE: as SimMIM's ViT, but a mask token is last.
    public static func maeViT(depth: Int) -> LayerDecay { .init(last: depth + 1) { viT($0, depth: depth) } }

    /// CRATE's classifier: tokens, positions and patch embedding 0, layer i i + 1, the head last.
    public static func crate(depth: Int) -> LayerDecay {
        .init(last: depth + 1) { name in
            let parts = NameParts(name)
            switch parts[0] {
            case "cls_token", "pos_embedding", "to_patch_embedding": return 0
            case "transformer": return parts.number(2) + 1
            default: return depth + 1
            }
        }
    }

    /// SimMIM's Swin: mask token and patch embedding 0, block b of stage s 1 + b + earlier depths, a stage's
    /// downsampling with its last block, the rest last; so is the position table, by a slip of the reference, kept.
    public static func simMIMSwin(depths: [Int]) -> LayerDecay {
        let last = depths.reduce(0, +) + 1
        return .init(last: last) { name in
            if name == "mask_token" || name.hasPrefix("patch_embed") { return 0 }
            let parts = NameParts(name)
            guard parts[0] == "layers" else { return last }
            let earlier = depths.prefix(parts.number(1)).reduce(0, +)
            if parts[2] == "blocks" { return 1 + earlier + parts.number(3) }
            return parts[2] == "downsample" ? earlier + depths[parts.number(1)] : last
        }
    }

    /// SparK's ResNet; depths of the stages, four in the published ones.
    public static func sparKResNet(depths: [Int]) -> LayerDecay {
        let layers = ResNetLayers(depths)
        return .init(last: layers.last + 1) { name in
            let parts = NameParts(name)
            return layers.layer(parts[0], block: parts.number(1))
        }
    }

    /// SparK's ConvNeXt; depths of the four stages.
    public static func sparKConvNeXt(depths: [Int]) -> LayerDecay {
        // An own net without four stages has a layer for each.
        if depths.count != 4 { return convnext(stages: depths.count) }
        let last = (depths[2] > 9 ? 12 : 6) + 1
        return .init(last: last) { name in
            let parts = NameParts(name)
            let stage = min(parts.number(1), 3)
            if parts[0] == "downsample_layers" { return [0, 2, 3, last - 1][stage] }
            if parts[0] == "stages" { return [1, 2, 3 + parts.number(2) / 3, last - 1][stage] }
            return last
        }
    }

    /// A stem 0, stage i i + 1, the rest last.
    public static func stages(_ count: Int) -> LayerDecay {
        .init(last: count + 1) { name in
            let parts = NameParts(name)
            switch parts[0] {
            case "stem": return 0
            case "stages": return parts.number(1) + 1
            default: return count + 1
            }
        }
    }

    private static func convnext(stages: Int) -> LayerDecay {
        .init(last: stages + 1) { name in
            let parts = NameParts(name)
            switch parts[0] {
            case "downsample_layers": return parts.number(1) == 0 ? 0 : parts.number(1) + 1
            case "stages": return parts.number(1) + 1
            default: return stages + 1
            }
        }
    }

    private static func viT(_ name: String, depth: Int) -> Int {
        if ["cls_token", "pos_embed"].contains(name) || name.hasPrefix("patch_embed") { return 0 }
        let parts = NameParts(name)
        return parts[0] == "blocks" ? parts.number(1) + 1 : depth + 1
    }
}

/// The parts between the dots of a parameter's name.
private struct NameParts {
    private let parts: [Substring]

    init(_ name: String) { parts = name.split(separator: ".") }

    /// Empty beyond the end.
    subscript(_ index: Int) -> String { index < parts.count ? String(parts[index]) : "" }

    func number(_ index: Int) -> Int { Int(self[index]) ?? 0 }
}

/// SparK's grouping of ResNet blocks: deep stages count several blocks as one layer.
private struct ResNetLayers {
    /// Blocks that count as one layer, and the number of the first layer, for each stage.
    private let stages: [(together: Int, first: Int)]
    /// The number of the last layer of the last stage; the head follows.
    let last: Int

    init(_ depths: [Int]) {
        // ResNet-152 and 200 have stages of 8 blocks and more and group by four.
        let isDeep = depths.count > 1 && depths[1] >= 8
        var (first, stages): (Int, [(Int, Int)]) = (1, [])
        for (stage, depth) in depths.enumerated() {
            let together = stage == 1 ? (isDeep ? 4 : 2) : stage == 2 ? (isDeep ? 4 : 3) : depth
            stages.append((together, first))
            first += (depth + together - 1) / together
        }
        self.stages = stages
        last = first - 1
    }

    func layer(_ part: String, block: Int) -> Int {
        if part == "conv1" || part == "bn1" { return 0 }
        guard part.hasPrefix("layer"), let stage = Int(part.dropFirst(5)), stages.indices.contains(stage - 1) else {
            return last + 1
        }
        return stages[stage - 1].first + block / stages[stage - 1].together
    }
}
