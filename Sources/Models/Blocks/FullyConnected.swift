public import Autodiff
import Glibc
import Kernels
public import Layers

/// Hidden layers with ReLU over the pixels of an image, then a linear head; parameters `layers.{i}.weight` and `.bias`,
/// the head last; batch norms, where there are any, are `norms.{i}`. Deep and narrow it is hard to start: the network
/// of arXiv 1511.06807 has 20 layers of 50. The deep one of arXiv 2410.20035 has one of 2,048 and 47 of 1,024.
public struct FullyConnected: Encoder {
    /// The law of the weights at the start; biases start at 0 except under `uniform`.
    public enum Start: String, Sendable, CaseIterable, Decodable {
        /// Nothing but the head's bias moves without noise on the gradient.
        case zeros
        /// Normal, of the deviation that the settings name.
        case normal
        /// Normal, variance 2 / inputs: He et al., arXiv 1502.01852.
        case he
        /// Normal, variance (√2·e^(1.2 / (max(n, 6) − 2.4)))² / n for n inputs: the random walk of Sussillo and Abbott,
        /// arXiv 1412.6558.
        case walk = "random_walk"
        /// Uniform in ±1/√inputs, biases too: PyTorch's own.
        case uniform
    }

    public struct Settings: Sendable, Equatable {
        public var depth, width: Int
        /// Width of the first layer; nil: that of the others.
        public var firstWidth: Int?
        public var start: Start
        /// Standard deviation of the initialization `normal`.
        public var deviation: Double
        /// Reads the mean of the channels.
        public var isGrey: Bool
        /// A batch norm stands between each hidden layer and its ReLU, as in arXiv 2410.20035.
        public var hasNorms = false
        /// Share of each layer's numbers left out in training, 0..<1.
        public var dropout = 0.0

        public init(depth: Int, width: Int, start: Start, deviation: Double = 0.1, isGrey: Bool = true) {
            (self.depth, self.width, self.start) = (depth, width, start)
            (self.deviation, self.isGrey) = (deviation, isGrey)
        }

        /// Units of a hidden layer.
        func units(_ index: Int) -> Int { index == 0 ? firstWidth ?? width : width }

        /// Initializer of the weights of a layer.
        public func start(inputs: Int) -> Initializer {
            let n = Double(inputs)
            switch start {
            case .zeros: return .zeros
            case .normal: return .normal(std: deviation)
            case .he: return .normal(std: (2 / n).squareRoot())
            case .walk: return .normal(std: (2 / n).squareRoot() * exp(1.2 / (max(n, 6) - 2.4)))
            case .uniform: return .uniform(bound: 1 / n.squareRoot())
            }
        }

        func layer(_ scope: Scope, _ inputs: Int, _ outputs: Int) -> Linear {
            Linear(
                weight: scope.parameter("weight", [outputs, inputs], start(inputs: inputs)),
                bias: .full(
                    scope.parameter("bias", [outputs], start == .uniform ? start(inputs: inputs) : .zeros)))
        }
    }

    public let settings: Settings
    public let grid: FeatureGrid
    private let hidden: [Linear]
    private let norms: [BatchNorm]
    private let dropout: Dropout

    public init(_ scope: Scope, _ settings: Settings, image: ImageSpec) throws(ModelError) {
        try self.init(
            scope, settings, inputs: image.side * image.side * (settings.isGrey ? 1 : image.channels),
            stride: image.side)
    }

    /// - Parameters:
    ///   - inputs: numbers of one sample.
    ///   - stride: image pixels along a side, where the sample is an image.
    public init(_ scope: Scope, _ settings: Settings, inputs: Int, stride: Int = 1) throws(ModelError) {
        let narrowest = min(settings.width, settings.units(0))
        guard settings.depth >= 1, narrowest >= 1 else {
            throw ModelError(
                "model.depth", found: "\(settings.depth) layers of \(narrowest)", expected: "at least one of each",
                hint: "the paper's network has 20 of 50")
        }
        hidden = (0..<settings.depth).map {
            settings.layer(scope["layers"][$0], $0 == 0 ? inputs : settings.units($0 - 1), settings.units($0))
        }
        norms = settings.hasNorms ? (0..<settings.depth).map { BatchNorm(scope["norms"][$0], settings.units($0)) } : []
        dropout = Dropout(settings.dropout)
        self.settings = settings
        grid = FeatureGrid(side: 1, stride: stride, width: settings.units(settings.depth - 1))
    }

    /// The output of each hidden layer for samples (B, 1, inputs): (B, 1, width).
    public func layers(of samples: Tensor) -> [Tensor] {
        var x = samples
        return hidden.enumerated().map { index, layer in
            x = dropout(settings.hasNorms ? norms[index](layer(x), .relu) : ReLU()(layer(x)))
            return x
        }
    }

    public func outputs(_ images: Tensor) -> [FeatureMap] {
        layers(of: PixelVector(isGrey: settings.isGrey)(images)).enumerated().map { index, x in
            FeatureMap(index == hidden.count - 1 ? "output" : "layers.\(index)", patches: x)
        }
    }

    public func pooled(_ images: Tensor) -> Tensor {
        let maps = outputs(images)
        return MeanPooling(0..<1)(maps[maps.count - 1].patches)
    }

    public var headInit: Initializer { settings.start(inputs: grid.width) }
    public var headName: String { "layers.\(settings.depth)" }
    public var headPrefix: String { headName + "." }
    public func head(_ scope: Scope, classes: Int) -> Linear {
        settings.layer(scope["layers"][settings.depth], grid.width, classes)
    }

    public var layers: LayerDecay {
        LayerDecay(last: settings.depth) { name in
            name.split(separator: ".").dropFirst().first.flatMap { Int($0) } ?? 0
        }
    }

    public func weightDecay(for use: EncoderUse) -> DecayRule { .everything }
}

extension FullyConnected.Settings: EncoderSettings {
    public func encoder(_ scope: Scope, image: ImageSpec, for use: EncoderUse) throws(ModelError) -> any Encoder {
        try FullyConnected(scope, self, image: image)
    }

    public var lineage: [String: String] {
        [
            "depth": "\(depth)", "embed_dim": "\(width)", "first_width": "\(units(0))", "channels": isGrey ? "1" : "3",
            "batch_norm": "\(hasNorms)",
        ]
    }
}
