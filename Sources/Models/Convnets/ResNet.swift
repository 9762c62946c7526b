public import Autodiff
import Glibc
import Kernels
public import Layers
public import Recipes

/// A residual convnet, names of timm: a first convolution, batch norm, ReLU, maximum pooling, stages of blocks.
/// Source: arXiv 1512.03385 with the stride in a block's 3×3 convolution; code huggingface/pytorch-image-models 0.5.4.
public struct ResNet: HierarchicalEncoder {
    public let settings: Settings
    public let grid: FeatureGrid
    private let conv1: Convolution
    private let bn1: BatchNorm
    private let stages: [[ResidualBlock]]

    public init(_ scope: Scope, _ settings: Settings, image: ImageSpec) throws(ModelError) {
        try settings.check(image)
        let stem = settings.stem
        self.settings = settings
        conv1 = Convolution(
            scope["conv1"], image.channels, settings.stemWidth, .same(stem.kernel, stride: 2),
            init: Self.initializer(stem.kernel, settings.stemWidth))
        bn1 = BatchNorm(scope["bn1"], settings.stemWidth)
        let rates = DropPath.rates(upTo: settings.dropPathRate, count: settings.layers.reduce(0, +))
        var (width, index) = (settings.stemWidth, 0)
        var stages: [[ResidualBlock]] = []
        for (stage, planes) in settings.channels.enumerated() {
            let scope = scope["layer\(stage + 1)"]
            stages.append(
                (0..<settings.layers[stage]).map { block in
                    let stride = block > 0 || stage == 0 && stem == .pooled ? 1 : 2
                    defer { (width, index) = (planes * settings.block.expansion, index + 1) }
                    return ResidualBlock(
                        scope[block], settings.block, width, planes, stride: stride, dropRate: rates[index])
                })
        }
        self.stages = stages
        grid = FeatureGrid(side: image.side / settings.ratio, stride: settings.ratio, width: width)
    }

    public var widths: [Int] { settings.channels.map { $0 * settings.block.expansion } }
    public var densifyNorm: DensifyNorm { .batch }

    /// The input of the first stage.
    public func stem(_ images: Tensor, cells: ActiveCells) -> GridRows {
        let x = conv1(images, cells: cells).map { bn1($0, .relu) }
        return settings.stem == .pooled ? Pooling.max(x, .same(3, stride: 2)) : x
    }

    public func maps(_ images: Tensor, cells: ActiveCells) -> [GridRows] { maps(from: stem(images, cells: cells)) }

    /// - Parameter stem: input of the first stage.
    public func maps(from stem: GridRows) -> [GridRows] {
        var x = stem
        return stages.enumerated().map { stage, blocks in
            for (index, block) in blocks.enumerated() { x = block(x).feature(.block, "layer\(stage + 1).\(index)") }
            return x.feature(.stage, "layer\(stage + 1)")
        }
    }

    public func pooled(_ images: Tensor) -> Tensor { mean(images) }

    public var headInit: Initializer { .uniform(bound: 1 / Double(grid.width).squareRoot()) }
    public var headName: String { "fc" }

    public func head(_ scope: Scope, classes: Int) -> Linear {
        let fc = scope["fc"]
        return Linear(
            weight: fc.parameter("weight", [classes, grid.width], headInit),
            bias: .full(fc.parameter("bias", [classes], headInit)))
    }

    public var layers: LayerDecay { .sparKResNet(depths: settings.layers) }

    public func weightDecay(for use: EncoderUse) -> DecayRule { .sparK }

    /// Kaiming initialization for ReLU, over the outputs.
    static func initializer(_ kernel: Int, _ outputs: Int) -> Initializer {
        .normal(std: (2 / Double(outputs * kernel * kernel)).squareRoot())
    }
}

/// relu(shortcut + keep·body): two 3×3 convolutions, or 1×1, 3×3, 1×1 around a narrow middle. The last norm starts at
/// 0.
private struct ResidualBlock {
    /// Each convolution with its norm, in order.
    private let body: [(convolution: Convolution, norm: BatchNorm)]
    private let downsample: (convolution: Convolution, norm: BatchNorm)?
    private let dropPath: DropPath

    init(_ scope: Scope, _ kind: ResNet.Block, _ inputs: Int, _ planes: Int, stride: Int, dropRate: Double) {
        let outputs = planes * kind.expansion
        func part(_ number: Int, _ inputs: Int, _ outputs: Int, _ window: Window, isLast: Bool = false) -> (
            Convolution, BatchNorm
        ) {
            let convolution = Convolution(
                scope["conv\(number)"], inputs, outputs, window, init: ResNet.initializer(window.kernel, outputs))
            return (convolution, BatchNorm(scope["bn\(number)"], outputs, init: isLast ? .zeros : .ones))
        }
        switch kind {
        case .basic:
            body = [
                part(1, inputs, planes, .same(3, stride: stride)), part(2, planes, planes, .same(3), isLast: true),
            ]
        case .bottleneck:
            body = [
                part(1, inputs, planes, .same(1)), part(2, planes, planes, .same(3, stride: stride)),
                part(3, planes, outputs, .same(1), isLast: true),
            ]
        }
        if stride > 1 || inputs != outputs {
            let scope = scope["downsample"]
            downsample = (
                Convolution(scope[0], inputs, outputs, .same(1, stride: stride), init: ResNet.initializer(1, outputs)),
                BatchNorm(scope[1], outputs)
            )
        } else {
            downsample = nil
        }
        dropPath = DropPath(dropRate)
    }

    func callAsFunction(_ x: GridRows) -> GridRows {
        var y = x
        for (convolution, norm) in body.dropLast() { y = convolution(y).map { norm($0, .relu) } }
        guard let last = body.last else { return x }
        y = last.convolution(y)
        let shortcut = downsample.map { part in part.convolution(x).map { part.norm($0) } } ?? x
        return y.map {
            last.norm($0, adding: shortcut.rows, keep: dropPath.keep(for: $0), .relu)
        }
    }
}

extension ResNet {
    /// The kind of block that a stage is made of.
    public enum Block: String, Sendable, CaseIterable, Decodable {
        case basic, bottleneck

        /// Channels of a block's output over those of its middle.
        public var expansion: Int { self == .basic ? 1 : 4 }
    }

    /// The layers before the first stage.
    public enum Stem: String, Sendable, CaseIterable, Decodable {
        /// 7×7 with stride 2, then maximum pooling; the first stage keeps the side.
        case pooled
        /// 3×3 with stride 2; the first stage halves the side too. For small images.
        case small

        var kernel: Int { self == .pooled ? 7 : 3 }
    }

    /// Published depths, and a small net of stride 16 for images of 32 to 64 pixels.
    public enum Size: String, CaseIterable, Sendable, Decodable {
        case resnet18, resnet34, resnet50, resnet101, resnet152, resnet200, small16

        fileprivate var shape: Settings {
            let (block, layers): (Block, [Int]) =
                switch self {
                case .resnet18: (.basic, [2, 2, 2, 2])
                case .resnet34: (.basic, [3, 4, 6, 3])
                case .resnet50: (.bottleneck, [3, 4, 6, 3])
                case .resnet101: (.bottleneck, [3, 4, 23, 3])
                case .resnet152: (.bottleneck, [3, 8, 36, 3])
                case .resnet200: (.bottleneck, [3, 24, 36, 3])
                case .small16: (.basic, [1, 1, 1])
                }
            return self == .small16
                ? Settings(block, layers: layers, channels: [64, 128, 256], stem: .small, stemWidth: 32)
                : Settings(block, layers: layers, channels: [64, 128, 256, 512], stem: .pooled, stemWidth: 64)
        }
    }

    /// The model section of a recipe with `kind: resnet`: a published depth, or a shape of one's own.
    public struct Settings: EncoderSettings, Equatable {
        public static let kind = "resnet"

        private let preset: Size?
        private let ownBlock: Block?
        private let ownLayers, ownChannels: [Int]?
        private let ownStem: Stem?
        private let ownStemWidth: Int?
        /// Drop rate of the last block, 0..<1; it grows linearly from 0.
        public var dropPathRate = 0.0

        public init(_ block: Block, layers: [Int], channels: [Int], stem: Stem, stemWidth: Int) {
            (preset, ownBlock, ownLayers, ownChannels) = (nil, block, layers, channels)
            (ownStem, ownStemWidth) = (stem, stemWidth)
        }

        public init(_ size: Size) { self = size.shape }

        /// A preset is the same as its numbers.
        public static func == (left: Settings, right: Settings) -> Bool {
            left.block == right.block && left.layers == right.layers && left.channels == right.channels
                && left.stem == right.stem && left.stemWidth == right.stemWidth
                && left.dropPathRate == right.dropPathRate
        }

        private enum CodingKeys: String, CodingKey {
            case preset
            case ownBlock = "block"
            case ownLayers = "layers"
            case ownChannels = "channels"
            case ownStem = "stem"
            case ownStemWidth = "stem_width"
            case dropPathRate = "drop_path_rate"
        }

        public var block: Block { preset?.shape.block ?? ownBlock ?? .basic }
        /// Blocks of each stage.
        public var layers: [Int] { preset?.shape.layers ?? ownLayers ?? [] }
        /// Channels of each stage, before the expansion.
        public var channels: [Int] { preset?.shape.channels ?? ownChannels ?? [] }
        public var stem: Stem { preset?.shape.stem ?? ownStem ?? .pooled }
        public var stemWidth: Int { preset?.shape.stemWidth ?? ownStemWidth ?? 0 }
        /// Image pixels along a side of one position of the last map.
        public var ratio: Int { 1 << (channels.count + 1) }

        public static let meanings = [
            "preset": Size.allCases.map { $0.rawValue }.joined(separator: ", ")
                + "; small16 is a net of stride 16 for small images.",
            "block": "basic: two 3x3 convolutions; bottleneck: 1x1, 3x3, 1x1. With the next four instead of a preset.",
            "layers": "Blocks of each stage.",
            "channels": "Channels of each stage; a bottleneck puts out four times as many.",
            "stem": "pooled: 7x7 with stride 2 and maximum pooling; small: 3x3 with stride 2.",
            "stem_width": "Channels of the first convolution.",
            "drop_path_rate": "Drop rate of the last block, 0 to below 1; earlier blocks rise to it linearly.",
        ]

        public func check(_ here: Here) {
            here.require(
                preset: preset,
                or: [
                    "block": ownBlock, "layers": ownLayers, "channels": ownChannels, "stem": ownStem,
                    "stem_width": ownStemWidth,
                ])
            if let ownLayers, let ownChannels { Self.check(layers: ownLayers, channels: ownChannels, here) }
            here.requirePositive(["stem_width": ownStemWidth])
            here.requireDropRate(["drop_path_rate": dropPathRate])
        }

        static func check(layers: [Int], channels: [Int], _ here: Here) {
            here.require(
                !layers.isEmpty && layers.count == channels.count && (layers + channels).allSatisfy { $0 > 0 },
                at: "channels", reading: ["layers"],
                "as many as layers, each at least 1, expected, found \(channels) for \(layers)")
        }

        public func check(_ recipe: Recipe, _ here: Here) { here.requireStride(ratio, recipe) }

        func check(_ image: ImageSpec) throws(ModelError) {
            guard !layers.isEmpty, layers.count == channels.count, layers.allSatisfy({ $0 > 0 }),
                channels.allSatisfy({ $0 > 0 }), stemWidth > 0
            else {
                throw ModelError(
                    "model.layers", found: "\(layers) blocks and \(channels) channels",
                    expected: "as many blocks as channels, each at least 1", hint: "one number for each stage")
            }
            try image.check(stride: ratio)
        }

        public func encoder(_ scope: Scope, image: ImageSpec, for use: EncoderUse) throws(ModelError) -> any Encoder {
            try ResNet(scope, self, image: image)
        }

        /// Settings that a net must share to take these weights.
        public var lineage: [String: String] {
            ["block": block.rawValue, "layers": "\(layers)", "channels": "\(channels)", "stem": "\(stemWidth)"]
        }
    }
}
