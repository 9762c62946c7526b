public import Autodiff
import Kernels
public import Layers
public import Recipes

/// A deep convnet without shortcuts: the layers of a ResNet, each convolution with batch norm and ReLU, one after the
/// other. With the layers of ResNet-50 it is the deep convnet of arXiv 2410.20035. Names are those of `ResNet`.
public struct PlainCNN: HierarchicalEncoder {
    public let settings: Settings
    public let grid: FeatureGrid
    private let stem: Layer
    /// The layers of each block of each stage.
    private let stages: [[[Layer]]]

    /// A convolution and its norm.
    private struct Layer {
        let convolution: Convolution
        let norm: BatchNorm

        init(_ scope: Scope, _ number: Int, _ inputs: Int, _ outputs: Int, _ window: Window) {
            convolution = Convolution(
                scope["conv\(number)"], inputs, outputs, window, init: ResNet.initializer(window.kernel, outputs))
            norm = BatchNorm(scope["bn\(number)"], outputs)
        }

        func callAsFunction(_ x: GridRows) -> GridRows { convolution(x).map { norm($0, .relu) } }
    }

    public init(_ scope: Scope, _ settings: Settings, image: ImageSpec) throws(ModelError) {
        let shape = settings.shape
        try shape.check(image)
        self.settings = settings
        stem = Layer(scope, 1, image.channels, shape.stemWidth, .same(shape.stem.kernel, stride: 2))
        var width = shape.stemWidth
        stages = shape.channels.enumerated().map { stage, planes in
            (0..<shape.layers[stage]).map { block in
                let scope = scope["layer\(stage + 1)"][block]
                let stride = block > 0 || stage == 0 && shape.stem == .pooled ? 1 : 2
                defer { width = planes * shape.block.expansion }
                switch shape.block {
                case .basic:
                    return [
                        Layer(scope, 1, width, planes, .same(3, stride: stride)),
                        Layer(scope, 2, planes, planes, .same(3)),
                    ]
                case .bottleneck:
                    return [
                        Layer(scope, 1, width, planes, .same(1)),
                        Layer(scope, 2, planes, planes, .same(3, stride: stride)),
                        Layer(scope, 3, planes, planes * shape.block.expansion, .same(1)),
                    ]
                }
            }
        }
        grid = FeatureGrid(side: image.side / shape.ratio, stride: shape.ratio, width: width)
    }

    public var widths: [Int] { settings.shape.channels.map { $0 * settings.shape.block.expansion } }
    public var densifyNorm: DensifyNorm { .batch }

    public func maps(_ images: Tensor, cells: ActiveCells) -> [GridRows] {
        var x = stem.convolution(images, cells: cells).map { stem.norm($0, .relu) }
        if settings.shape.stem == .pooled { x = Pooling.max(x, .same(3, stride: 2)) }
        return stages.enumerated().map { stage, blocks in
            for (index, block) in blocks.enumerated() {
                for layer in block { x = layer(x) }
                x = x.feature(.block, "layer\(stage + 1).\(index)")
            }
            return x.feature(.stage, "layer\(stage + 1)")
        }
    }

    public func pooled(_ images: Tensor) -> Tensor { mean(images) }

    public var headInit: Initializer { .uniform(bound: 1 / Double(grid.width).squareRoot()) }
    public var headName: String { "fc" }

    public var layers: LayerDecay { .sparKResNet(depths: settings.shape.layers) }
    public func weightDecay(for use: EncoderUse) -> DecayRule { .sparK }
}

extension PlainCNN {
    /// The model section of a recipe with `kind: plain_cnn`: the shape of a ResNet.
    public struct Settings: EncoderSettings, Equatable {
        public static let kind = "plain_cnn"

        private let block: ResNet.Block
        private let layers, channels: [Int]
        private let stem: ResNet.Stem
        private let stemWidth: Int

        public var shape: ResNet.Settings {
            ResNet.Settings(block, layers: layers, channels: channels, stem: stem, stemWidth: stemWidth)
        }

        public static let meanings = ResNet.Settings.meanings
            .filter { ["layers", "channels", "stem", "stem_width"].contains($0.key) }
            .merging(["block": "basic: two 3x3 convolutions; bottleneck: 1x1, 3x3, 1x1."]) { own, _ in own }

        public func check(_ here: Here) {
            ResNet.Settings.check(layers: layers, channels: channels, here)
            here.requirePositive(["stem_width": stemWidth])
        }

        public func check(_ recipe: Recipe, _ here: Here) { here.requireStride(shape.ratio, recipe) }

        public func encoder(_ scope: Scope, image: ImageSpec, for use: EncoderUse) throws(ModelError) -> any Encoder {
            try PlainCNN(scope, self, image: image)
        }

        public var lineage: [String: String] { shape.lineage }
    }
}
