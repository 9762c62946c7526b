public import Autodiff
import Kernels
public import Layers
public import Recipes

/// ConvNeXt, names of facebookresearch/ConvNeXt: stages of 7×7 depthwise convolutions, each followed by a pixel-wise
/// MLP, with layer norm. Maps are the raw outputs of the stages. Source: arXiv 2201.03545.
public struct ConvNeXt: HierarchicalEncoder {
    public let settings: Settings
    public let grid: FeatureGrid
    private let stem: (convolution: Convolution, norm: LayerNorm)
    private let downsamples: [(norm: LayerNorm, convolution: Convolution)]
    private let stages: [[ConvNeXtBlock]]
    private let norm: LayerNorm?

    /// The epsilon of every norm here; PyTorch's own default is 1e-5.
    static let epsilon = 1e-6
    /// The reference cuts at 2, a hundred standard deviations.
    static let initializer = Initializer.truncatedNormal(std: 0.02, cut: 2)

    public init(_ scope: Scope, _ settings: Settings, image: ImageSpec, for use: EncoderUse) throws(ModelError) {
        try settings.check(image)
        self.settings = settings
        let (widths, layers) = (settings.widths, scope["downsample_layers"])
        stem = (
            Convolution(
                layers[0][0], image.channels, widths[0], Window(4, stride: 4), bias: true, init: Self.initializer),
            LayerNorm(layers[0][1], widths[0], epsilon: Self.epsilon)
        )
        downsamples = widths.indices.dropFirst().map { stage in
            (
                LayerNorm(layers[stage][0], widths[stage - 1], epsilon: Self.epsilon),
                Convolution(
                    layers[stage][1], widths[stage - 1], widths[stage], Window(2, stride: 2), bias: true,
                    init: Self.initializer)
            )
        }
        let rates = DropPath.rates(upTo: settings.dropPathRate, count: settings.depths.reduce(0, +))
        var index = 0
        stages = widths.indices.map { stage in
            (0..<settings.depths[stage]).map { block in
                defer { index += 1 }
                return ConvNeXtBlock(
                    scope["stages"][stage][block], widths[stage], kernel: settings.kernel, dropRate: rates[index])
            }
        }
        let width = widths[widths.count - 1]
        norm = use == .classification ? LayerNorm(scope["norm"], width, epsilon: Self.epsilon) : nil
        grid = FeatureGrid(side: image.side / settings.ratio, stride: settings.ratio, width: width)
    }

    public var widths: [Int] { settings.widths }
    public var densifyNorm: DensifyNorm { .layer }

    public func maps(_ images: Tensor, cells: ActiveCells) -> [GridRows] {
        var x = stem.convolution(images, cells: cells).map { stem.norm($0) }
        return stages.enumerated().map { stage, blocks in
            if stage > 0 {
                let part = downsamples[stage - 1]
                x = part.convolution(x.map { part.norm($0) })
            }
            for (index, block) in blocks.enumerated() { x = block(x).feature(.block, "stages.\(stage).\(index)") }
            return x.feature(.stage, "stages.\(stage)")
        }
    }

    public func pooled(_ images: Tensor) -> Tensor {
        let mean = mean(images)
        return norm?(mean) ?? mean
    }

    public var headInit: Initializer { Self.initializer }

    public var layers: LayerDecay { .sparKConvNeXt(depths: settings.depths) }

    public func weightDecay(for use: EncoderUse) -> DecayRule { .sparK }
}

/// x + keep·γ⊙pwconv2(GELU(pwconv1(norm(dwconv(x))))).
private struct ConvNeXtBlock {
    private let residual: Residual
    private let depthwise: Convolution
    private let norm: LayerNorm
    private let widen, narrow: Linear
    private let activation: BiasGELU
    private let dropPath: DropPath

    init(_ scope: Scope, _ width: Int, kernel: Int, dropRate: Double) {
        residual = Residual(scale: scope.parameter("gamma", [width], .constant(1e-6)))
        depthwise = Convolution(
            scope["dwconv"], width, width, .same(kernel), groups: width, bias: true, init: ConvNeXt.initializer)
        norm = LayerNorm(scope["norm"], width, epsilon: ConvNeXt.epsilon)
        let first = scope["pwconv1"]
        widen = Linear(weight: first.parameter("weight", [4 * width, width], ConvNeXt.initializer), bias: .none)
        activation = BiasGELU(first.parameter("bias", [4 * width], .zeros))
        narrow = Linear(scope["pwconv2"], 4 * width, width, init: ConvNeXt.initializer)
        dropPath = DropPath(dropRate)
    }

    func callAsFunction(_ x: GridRows) -> GridRows {
        let branch = narrow(activation(widen(norm(depthwise(x).rows))))
        return x.map { residual($0, branch, keep: dropPath.keep(for: $0)) }
    }
}

extension ConvNeXt {
    /// Published sizes.
    public enum Size: String, CaseIterable, Sendable, Decodable {
        case tiny, small, base, large

        var depths: [Int] { self == .tiny ? [3, 3, 9, 3] : [3, 3, 27, 3] }
        var widths: [Int] {
            switch self {
            case .tiny, .small: [96, 192, 384, 768]
            case .base: [128, 256, 512, 1024]
            case .large: [192, 384, 768, 1536]
            }
        }
    }

    /// The model section of a recipe with `kind: convnext`: a published size, or depths and widths.
    public struct Settings: EncoderSettings, Equatable {
        public static let kind = "convnext"

        private let preset: Size?
        private let ownDepths, ownWidths: [Int]?
        /// Drop rate of the last block, 0..<1; it grows linearly from 0.
        public var dropPathRate = 0.0
        /// Side of the depthwise windows; no recipe has another.
        package var kernel = 7

        public init(depths: [Int], widths: [Int]) { (preset, ownDepths, ownWidths) = (nil, depths, widths) }

        public init(_ size: Size) { (preset, ownDepths, ownWidths) = (size, nil, nil) }

        private enum CodingKeys: String, CodingKey {
            case preset
            case ownDepths = "depths"
            case ownWidths = "widths"
            case dropPathRate = "drop_path_rate"
        }

        /// Blocks of each stage.
        public var depths: [Int] { preset?.depths ?? ownDepths ?? [] }
        /// Channels of each stage.
        public var widths: [Int] { preset?.widths ?? ownWidths ?? [] }
        /// Image pixels along a side of one position of the last map.
        public var ratio: Int { 2 << widths.count }

        public static let meanings = [
            "preset": Size.allCases.map { $0.rawValue }.joined(separator: ", ") + ".",
            "depths": "Blocks of each stage; with widths instead of a preset.",
            "widths": "Channels of each stage.",
            "drop_path_rate": "Drop rate of the last block, 0 to below 1; earlier blocks rise to it linearly.",
        ]

        public func check(_ here: Here) {
            here.require(preset: preset, or: ["depths": ownDepths, "widths": ownWidths])
            if let ownDepths, let ownWidths {
                here.require(
                    !ownDepths.isEmpty && ownDepths.count == ownWidths.count
                        && (ownDepths + ownWidths).allSatisfy { $0 > 0 },
                    at: "widths", reading: ["depths"],
                    "as many as depths, each at least 1, expected, found \(ownWidths) for \(ownDepths)")
            }
            here.requireDropRate(["drop_path_rate": dropPathRate])
        }

        public func check(_ recipe: Recipe, _ here: Here) { here.requireStride(ratio, recipe) }

        func check(_ image: ImageSpec) throws(ModelError) {
            guard !depths.isEmpty, depths.count == widths.count, (depths + widths).allSatisfy({ $0 > 0 }) else {
                throw ModelError(
                    "model.depths", found: "\(depths) blocks and \(widths) channels",
                    expected: "as many blocks as channels, each at least 1", hint: "one number for each stage")
            }
            try image.check(stride: ratio)
        }

        public func encoder(_ scope: Scope, image: ImageSpec, for use: EncoderUse) throws(ModelError) -> any Encoder {
            try ConvNeXt(scope, self, image: image, for: use)
        }

        /// Settings that a net must share to take these weights.
        public var lineage: [String: String] {
            ["depths": "\(depths)", "widths": "\(widths)", "kernel": "\(kernel)"]
        }
    }
}
