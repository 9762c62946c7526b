import Layers
public import Recipes

/// The model section of a recipe with `kind: convnet`: a net of one's own as lists of layers.
public struct ConvnetSection: EncoderSection {
    public static let kind = "convnet"

    private let stem: [LayerSection]
    private let stages: [[LayerSection]]
    private let densifyNorm: DensifyNorm

    public static let defaults = ["densify_norm": "batch"]
    public static let meanings = [
        "stem": "Layers before the first stage; the first one is a conv.",
        "stages": "A list of layers for each stage. Each stage gives a map; all but the first halve the side.",
        "densify_norm": "SparK's norm of each map: batch or layer.",
    ]

    public var settings: Convnet.Settings {
        Convnet.Settings(stem: stem.map(\.layer), stages: stages.map { $0.map(\.layer) }, densifyNorm: densifyNorm)
    }

    public var encoder: any EncoderSettings { settings }

    public func check(_ here: Here) {
        // A layer that is refused says so itself.
        guard (stem + stages.flatMap(\.self)).allSatisfy({ $0.kind.refusal == nil && $0.isSound }) else { return }
        if let problem = settings.problem {
            here.require(
                false, at: problem.list.prefix { $0 != "[" } == "stem" ? "stem" : "stages",
                "\(problem.list)[\(problem.layer)]: \(problem.reason)")
        }
    }

    /// Rules with the image.
    public static func check(_ section: ConvnetSection, _ recipe: Recipe, _ here: Here) {
        let ratio = section.settings.ratio
        here.recipe.require(
            ratio > 0 && recipe.images.size % ratio == 0, at: "images.size", reading: ["model"],
            "a multiple of the network's stride \(ratio) expected, found \(recipe.images.size)")
    }
}

/// One layer. Its kind decides which keys it reads.
private struct LayerSection: RecipeSection {
    enum Kind: String, Decodable, CaseIterable, Sendable {
        case conv
        case batchNorm = "batch_norm"
        case layerNorm = "layer_norm"
        case relu, relu6
        case maxPool = "max_pool"
        case averagePool = "avg_pool"
        case keep, add
        // Known so that they can be refused by name.
        case groupNorm = "group_norm"
        case instanceNorm = "instance_norm"
        case squeezeExcitation = "squeeze_excitation"
        case globalPool = "global_pool"
        case sigmoid
        case conv1d

        static let allCases: [Kind] = [
            .conv, .batchNorm, .layerNorm, .relu, .relu6, .maxPool, .averagePool, .keep, .add,
        ]

        var refusal: String? {
            switch self {
            case .groupNorm, .instanceNorm:
                "'\(rawValue)' takes the statistics of a whole image, masked positions too; batch_norm and layer_norm "
                    + "have a sparse form"
            case .squeezeExcitation, .globalPool:
                "'\(rawValue)' averages over a whole image, masked positions too; it has no sparse form"
            case .sigmoid: "'sigmoid' is not 0 where its input is; relu and relu6 after a batch_norm are"
            case .conv1d: "'conv1d' has no map of cells; take conv"
            case .conv, .batchNorm, .layerNorm, .relu, .relu6, .maxPool, .averagePool, .keep, .add: nil
            }
        }
    }

    let kind: Kind
    private let channels, kernelSize, stride, dilation, groups: Int
    private let bias, countIncludePad: Bool

    private enum CodingKeys: String, CodingKey {
        case kind, channels, kernelSize, stride, dilation, groups, bias, countIncludePad
    }

    init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        func number(_ key: CodingKeys) throws -> Int { try keys.decode(Int.self, forKey: key) }
        kind = try keys.decode(Kind.self, forKey: .kind)
        let (isConvolution, isAverage) = (kind == .conv, kind == .averagePool)
        let hasWindow = isConvolution || isAverage || kind == .maxPool
        channels = isConvolution ? try number(.channels) : 1
        kernelSize = hasWindow ? try number(.kernelSize) : 1
        stride = hasWindow ? try number(.stride) : 1
        dilation = isConvolution ? try number(.dilation) : 1
        groups = isConvolution ? try number(.groups) : 1
        bias = isConvolution ? try keys.decode(Bool.self, forKey: .bias) : false
        countIncludePad = isAverage ? try keys.decode(Bool.self, forKey: .countIncludePad) : true
    }

    static let defaults = ["stride": "1", "dilation": "1", "groups": "1", "bias": "false", "count_include_pad": "true"]
    static let meanings = [
        "kind": "What the layer does. keep remembers the map, add adds it: the shortcut of a residual block.",
        "channels": "Channels that come out.",
        "kernel_size": "Side of the window. Odd ones are padded to keep the side; an even one is as large as its stride.",
        "stride": "Positions between windows.",
        "dilation": "Positions between the taps of a window.",
        "groups": "Groups of channels that do not mix.",
        "bias": "Whether a bias is added.",
        "count_include_pad": "Whether taps outside the map count in the average.",
    ]

    /// The numbers can be a layer's.
    var isSound: Bool {
        [channels, kernelSize, stride, dilation, groups].allSatisfy { $0 >= 1 } && (kernelSize % 2 == 1 || kernelSize == stride)
    }

    var layer: Convnet.Layer {
        // What is refused or invalid has been reported; any layer takes its place.
        let side = isSound ? kernelSize : 1
        let window = Window(
            side, stride: max(stride, 1), padding: side % 2 == 1 ? max(dilation, 1) * (side - 1) / 2 : 0,
            dilation: max(dilation, 1))
        switch kind {
        case .conv: return .convolution(channels: max(channels, 1), window, groups: max(groups, 1), hasBias: bias)
        case .batchNorm: return .batchNorm
        case .layerNorm: return .layerNorm
        case .relu: return .activation(.relu)
        case .relu6: return .activation(.relu6)
        case .maxPool: return .maxPool(window)
        case .averagePool: return .averagePool(window, countsPadding: countIncludePad)
        case .add: return .add
        case .keep, .groupNorm, .instanceNorm, .squeezeExcitation, .globalPool, .sigmoid, .conv1d: return .keep
        }
    }

    func check(_ here: Here) {
        here.require(kind.refusal == nil, at: "kind", kind.refusal ?? "")
        here.requirePositive([
            "channels": channels, "kernel_size": kernelSize, "stride": stride, "dilation": dilation, "groups": groups,
        ])
        here.require(
            kernelSize % 2 == 1 || kernelSize == stride, at: "kernel_size", reading: ["stride"],
            "an odd side expected, or that of the stride, found \(kernelSize)")
    }
}
