public import Autodiff
import Kernels
public import Layers
public import Recipes

/// The residual networks for images of 32 pixels that early-learning regularisation was published with: a first
/// convolution 3×3 of stride 1, four stages of basic blocks, the mean of the last map. Names `conv1`, `bn1`,
/// `layer{1...4}.{b}.{conv1, bn1, conv2, bn2, shortcut}`, `linear`. Source: arXiv 2007.00151, code shengliu66/ELR.
public struct CIFARResNet: Encoder {
    public enum Kind: String, Sendable, CaseIterable, Decodable {
        /// Post-activation blocks; a shortcut that changes the shape has a norm.
        case resnet34
        /// Pre-activation blocks whose identity path begins behind the first activation; no norm after the last block.
        case preactResNet18 = "preact_resnet18"

        var blocks: [Int] { self == .resnet34 ? [3, 4, 6, 3] : [2, 2, 2, 2] }
    }

    /// The model section of a recipe with `kind: cifar_resnet`.
    public struct Settings: EncoderSettings, Equatable {
        public static let kind = "cifar_resnet"

        private let preset: Kind

        public init(_ preset: Kind) { self.preset = preset }

        public static let meanings = [
            "preset":
                "resnet34, or preact_resnet18 with the norm before each convolution; both with a first stride of 1."
        ]

        public func check(_ recipe: Recipe, _ here: Here) { here.requireStride(CIFARResNet.ratio, recipe) }

        public func encoder(_ scope: Scope, image: ImageSpec, for use: EncoderUse) throws(ModelError) -> any Encoder {
            try CIFARResNet(scope, preset, image: image)
        }

        public var lineage: [String: String] { ["preset": preset.rawValue] }
    }

    public let grid: FeatureGrid
    private let kind: Kind
    private let stem: (convolution: Convolution, norm: BatchNorm)
    private let stages: [[Block]]

    private static let widths = [64, 128, 256, 512]
    /// Image pixels along a side of one position of the last map.
    static let ratio = 8

    public init(_ scope: Scope, _ kind: Kind, image: ImageSpec) throws(ModelError) {
        guard image.side > 0, image.side % Self.ratio == 0 else {
            throw ModelError(
                "images.size", found: "\(image.side)", expected: "a multiple of the network's stride \(Self.ratio)",
                hint: "it is made for 32 pixels")
        }
        self.kind = kind
        stem = (
            Self.convolution(scope["conv1"], image.channels, Self.widths[0], .same(3)),
            BatchNorm(scope["bn1"], Self.widths[0])
        )
        var width = Self.widths[0]
        stages = Self.widths.enumerated().map { stage, planes in
            (0..<kind.blocks[stage]).map { block in
                defer { width = planes }
                return Block(
                    scope["layer\(stage + 1)"][block], kind, width, planes, stride: block == 0 && stage > 0 ? 2 : 1)
            }
        }
        grid = FeatureGrid(side: image.side / Self.ratio, stride: Self.ratio, width: width)
    }

    /// PyTorch's own initialization: uniform in ±1/√inputs.
    static func convolution(_ scope: Scope, _ inputs: Int, _ outputs: Int, _ window: Window) -> Convolution {
        let bound = 1 / Double(inputs * window.taps).squareRoot()
        return Convolution(scope, inputs, outputs, window, init: .uniform(bound: bound))
    }

    /// The output of each stage.
    private func maps(_ images: Tensor) -> [GridRows] {
        let cells = ActiveCells(all: images.shape[0], in: images.graph)
        var x = stem.convolution(images, cells: cells).map { stem.norm($0, .relu) }
        return stages.enumerated().map { stage, blocks in
            for (index, block) in blocks.enumerated() { x = block(x).feature(.block, "layer\(stage + 1).\(index)") }
            x = x.feature(.stage, "layer\(stage + 1)")
            return x
        }
    }

    public func outputs(_ images: Tensor) -> [FeatureMap] {
        let maps = maps(images)
        return maps.enumerated().map { stage, map in
            FeatureMap(stage == maps.count - 1 ? "output" : "layer\(stage + 1)", patches: map.rows)
        }
    }

    public func pooled(_ images: Tensor) -> Tensor {
        let maps = maps(images)
        return MeanPooling(0..<grid.side * grid.side)(maps[maps.count - 1].rows).feature(.pooled, "pooled")
    }

    public var headInit: Initializer { .uniform(bound: 1 / Double(grid.width).squareRoot()) }
    public var headName: String { "linear" }

    public func head(_ scope: Scope, classes: Int) -> Linear {
        let linear = scope[headName]
        return Linear(
            weight: linear.parameter("weight", [classes, grid.width], headInit),
            bias: .full(linear.parameter("bias", [classes], headInit)))
    }

    public var layers: LayerDecay {
        let blocks = kind.blocks
        return LayerDecay(last: blocks.reduce(0, +) + 1) { name in
            let parts = name.split(separator: ".")
            guard parts.count > 1, parts[0].hasPrefix("layer"), let stage = Int(parts[0].dropFirst(5)),
                let block = Int(parts[1])
            else { return name.hasPrefix("linear") ? blocks.reduce(0, +) + 1 : 0 }
            return blocks.prefix(stage - 1).reduce(0, +) + block + 1
        }
    }

    public func weightDecay(for use: EncoderUse) -> DecayRule { .everything }
}

/// Two 3×3 convolutions beside a shortcut.
private struct Block {
    private let kind: CIFARResNet.Kind
    private let conv1, conv2: Convolution
    private let norm1, norm2: BatchNorm
    private let shortcut: (convolution: Convolution, norm: BatchNorm?)?

    init(_ scope: Scope, _ kind: CIFARResNet.Kind, _ inputs: Int, _ planes: Int, stride: Int) {
        self.kind = kind
        let isPost = kind == .resnet34
        // In the order of the reference's state dict.
        func norm(_ number: Int) -> BatchNorm {
            BatchNorm(scope["bn\(number)"], !isPost && number == 1 ? inputs : planes)
        }
        func convolution(_ number: Int) -> Convolution {
            CIFARResNet.convolution(
                scope["conv\(number)"], number == 1 ? inputs : planes, planes,
                .same(3, stride: number == 1 ? stride : 1))
        }
        if isPost {
            (conv1, norm1, conv2, norm2) = (convolution(1), norm(1), convolution(2), norm(2))
        } else {
            (norm1, conv1, norm2, conv2) = (norm(1), convolution(1), norm(2), convolution(2))
        }
        if stride > 1 || inputs != planes {
            let scope = scope["shortcut"]
            shortcut = (
                CIFARResNet.convolution(scope[0], inputs, planes, .same(1, stride: stride)),
                isPost ? BatchNorm(scope[1], planes) : nil
            )
        } else {
            shortcut = nil
        }
    }

    func callAsFunction(_ x: GridRows) -> GridRows {
        switch kind {
        case .resnet34:
            let y = conv2(conv1(x).map { norm1($0, .relu) })
            let past = beside(x)
            return y.map { norm2($0, adding: past.rows, keep: nil, .relu) }
        case .preactResNet18:
            let a = x.map { norm1($0, .relu) }
            let y = conv2(conv1(a).map { norm2($0, .relu) })
            let past = beside(a)
            return y.map { Add()($0, past.rows) }
        }
    }

    private func beside(_ x: GridRows) -> GridRows {
        guard let shortcut else { return x }
        let y = shortcut.convolution(x)
        return shortcut.norm.map { norm in y.map { norm($0) } } ?? y
    }
}
