public import Autodiff
import Glibc
import Kernels
public import Layers

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
