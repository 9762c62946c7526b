public import Autodiff
import Glibc
import Kernels
public import Layers
public import Recipes

/// Hidden layers with ReLU over the pixels of an image, then a linear head; parameters `layers.{i}.weight` and `.bias`,
/// the head last; batch norms, where there are any, are `norms.{i}`. Deep and narrow it is hard to train: the network
/// of arXiv 1511.06807 has 20 layers of 50. The deep one of arXiv 2410.20035 has one of 2,048 and 47 of 1,024.
public struct FullyConnected: Encoder {
    /// Initialization of the weights; biases are 0 except under `uniform`.
    public enum Initialization: String, Sendable, CaseIterable, Decodable {
        /// Nothing but the head's bias moves without noise on the gradient.
        case zeros
        /// Normal, of the standard deviation that the settings name.
        case normal
        /// Normal, variance 2 / inputs: Kaiming initialization, arXiv 1502.01852.
        case he
        /// Normal, variance (√2·e^(1.2 / (max(n, 6) − 2.4)))² / n for n inputs: the random walk of Sussillo and Abbott,
        /// arXiv 1412.6558.
        case walk = "random_walk"
        /// Uniform in ±1/√inputs, biases too: PyTorch's own.
        case uniform
    }

    /// The model section of a recipe with `kind: fcn`.
    public struct Settings: EncoderSettings, Equatable {
        public static let kind = "fcn"

        public let depth, width: Int
        /// Width of the first layer; nil: that of the others.
        public var firstWidth: Int?
        public let initialization: Initialization
        private let std: Double?
        /// Share of each layer's numbers dropped in training, 0..<1; nil: none.
        public var dropout: Double?
        /// A batch norm between each hidden layer and its ReLU, as in arXiv 2410.20035.
        public var hasNorms = false
        private let channels: Int

        /// - Parameters:
        ///   - std: standard deviation of the initialization `normal`.
        ///   - channels: 1 to read the mean of the channels, 3 to read each.
        public init(
            depth: Int, width: Int, init initialization: Initialization, std: Double? = nil, channels: Int = 1
        ) {
            (self.depth, self.width, self.initialization) = (depth, width, initialization)
            (self.std, self.channels) = (std, channels)
        }

        private enum CodingKeys: String, CodingKey {
            case depth
            case width = "embed_dim"
            case firstWidth = "first_width"
            case initialization = "init"
            case std = "init_std"
            case dropout
            case hasNorms = "batch_norm"
            case channels
        }

        /// Whether the mean of the channels is read.
        public var isGrey: Bool { channels == 1 }

        public static let defaults = ["batch_norm": "false"]
        public static let meanings = [
            "depth": "Hidden layers; the head comes on top.",
            "embed_dim": "Units of each hidden layer.",
            "first_width": "Units of the first hidden layer; absent: those of the others.",
            "init":
                "Initialization of the weights. zeros; normal: of the standard deviation init_std; he: variance "
                + "2/inputs; random_walk: that of Sussillo and Abbott; uniform: within 1/root of inputs, biases too, as "
                + "PyTorch.",
            "init_std": "Standard deviation of the init 'normal'; with no other.",
            "dropout":
                "Share of each layer's numbers dropped in training, behind its ReLU, 0 to below 1; absent: none.",
            "batch_norm": "true: a batch norm before each ReLU, without which such a net should not be guided.",
            "channels": "1: a pixel is the mean of its channels, as for grey images; 3: every channel enters.",
        ]

        public func check(_ here: Here) {
            here.requirePositive(["depth": depth, "embed_dim": width, "first_width": firstWidth])
            here.require(
                (initialization == .normal) == (std != nil), at: initialization == .normal ? "" : "init_std",
                reading: ["init", "init_std"],
                initialization == .normal
                    ? "missing key 'init_std' of the init 'normal'"
                    : "the init '\(initialization.rawValue)' has none; leave it out")
            here.require([1, 3].contains(channels), at: "channels", "1 or 3 expected, found \(channels)")
            if let std { here.require(std > 0, at: "init_std", "more than 0 expected, found \(std)") }
            here.requireDropRate(["dropout": dropout])
        }

        public func encoder(_ scope: Scope, image: ImageSpec, for use: EncoderUse) throws(ModelError) -> any Encoder {
            try FullyConnected(scope, self, image: image)
        }

        public var lineage: [String: String] {
            [
                "depth": "\(depth)", "embed_dim": "\(width)", "first_width": "\(units(0))",
                "channels": isGrey ? "1" : "3", "batch_norm": "\(hasNorms)",
            ]
        }

        /// Units of a hidden layer.
        func units(_ index: Int) -> Int { index == 0 ? firstWidth ?? width : width }

        /// Initializer of the weights of a layer.
        public func initializer(inputs: Int) -> Initializer {
            let n = Double(inputs)
            switch initialization {
            case .zeros: return .zeros
            case .normal: return .normal(std: std ?? 0)
            case .he: return .normal(std: (2 / n).squareRoot())
            case .walk: return .normal(std: (2 / n).squareRoot() * exp(1.2 / (max(n, 6) - 2.4)))
            case .uniform: return .uniform(bound: 1 / n.squareRoot())
            }
        }

        func layer(_ scope: Scope, _ inputs: Int, _ outputs: Int) -> Linear {
            let initializer = initializer(inputs: inputs)
            return Linear(
                weight: scope.parameter("weight", [outputs, inputs], initializer),
                bias: .full(
                    scope.parameter("bias", [outputs], initialization == .uniform ? initializer : .zeros)))
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
        dropout = Dropout(settings.dropout ?? 0)
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

    public var headInit: Initializer { settings.initializer(inputs: grid.width) }
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
