public import Autodiff
import Kernels
public import Layers
public import Recipes

/// A convnet of one's own, listed layer by layer in a recipe: a stem, then stages that each halve the side and give a
/// map. Parameters are named by position, `stem.0.weight`, `stages.1.3.bias`, as PyTorch's nested Sequential names
/// them.
public struct Convnet: HierarchicalEncoder {
    public let settings: Settings
    public let grid: FeatureGrid
    public let widths: [Int]
    private let first: Convolution
    private let stem: [Step]
    private let stages: [[Step]]

    /// A layer with its parameters; an activation and a sum are one step with the norm before them.
    private enum Step {
        case convolution(Convolution)
        case batchNorm(BatchNorm, adds: Bool, BatchNorm.Activation)
        case layerNorm(LayerNorm)
        case maxPool(Window)
        case averagePool(Window, countsPadding: Bool)
        case keep, add
    }

    public init(_ scope: Scope, _ settings: Settings, image: ImageSpec) throws(ModelError) {
        try settings.check(image)
        self.settings = settings
        guard case .convolution(let channels, let window, _, let hasBias)? = settings.stem.first else {
            preconditionFailure("a checked convnet begins with a convolution")
        }
        first = Convolution(
            scope["stem"][0], image.channels, channels, window, bias: hasBias,
            init: ResNet.initializer(window.kernel, channels))
        var width = channels
        stem = Self.steps(settings.stem, from: 1, scope["stem"], width: &width)
        var widths: [Int] = []
        stages = settings.stages.enumerated().map { index, layers in
            defer { widths.append(width) }
            return Self.steps(layers, from: 0, scope["stages"][index], width: &width)
        }
        self.widths = widths
        grid = FeatureGrid(side: image.side / settings.ratio, stride: settings.ratio, width: width)
    }

    private static func steps(_ layers: [Layer], from start: Int, _ scope: Scope, width: inout Int) -> [Step] {
        var steps: [Step] = []
        var index = start
        while index < layers.count {
            defer { index += 1 }
            switch layers[index] {
            case .convolution(let channels, let window, let groups, let hasBias):
                steps.append(
                    .convolution(
                        Convolution(
                            scope[index], width, channels, window, groups: groups, bias: hasBias,
                            init: ResNet.initializer(window.kernel, channels / groups))))
                width = channels
            case .batchNorm:
                let norm = BatchNorm(scope[index], width)
                let adds = index + 1 < layers.count && layers[index + 1] == .add
                if adds { index += 1 }
                var activation = BatchNorm.Activation.none
                if index + 1 < layers.count, case .activation(let next) = layers[index + 1] {
                    activation = next
                    index += 1
                }
                steps.append(.batchNorm(norm, adds: adds, activation))
            case .layerNorm: steps.append(.layerNorm(LayerNorm(scope[index], width, epsilon: 1e-6)))
            case .maxPool(let window): steps.append(.maxPool(window))
            case .averagePool(let window, let counts): steps.append(.averagePool(window, countsPadding: counts))
            case .keep: steps.append(.keep)
            case .add: steps.append(.add)
            case .activation: preconditionFailure("a checked convnet has activations after batch norms")
            }
        }
        return steps
    }

    public var densifyNorm: DensifyNorm { settings.densifyNorm }

    public func maps(_ images: Tensor, cells: ActiveCells) -> [GridRows] {
        var x = Self.run(stem, first(images, cells: cells))
        return stages.enumerated().map { stage, steps in
            x = Self.run(steps, x).feature(.stage, "stages.\(stage)")
            return x
        }
    }

    private static func run(_ steps: [Step], _ input: GridRows) -> GridRows {
        var (x, kept) = (input, input)
        for step in steps {
            switch step {
            case .convolution(let layer): x = layer(x)
            case .batchNorm(let norm, let adds, let activation):
                x = x.map { adds ? norm($0, adding: kept.rows, keep: nil, activation) : norm($0, activation) }
            case .layerNorm(let norm): x = x.map { norm($0) }
            case .maxPool(let window): x = Pooling.max(x, window)
            case .averagePool(let window, let counts): x = Pooling.average(x, window, countsPadding: counts)
            case .keep: kept = x
            case .add: x = x.map { Add()($0, kept.rows) }
            }
        }
        return x
    }

    public func pooled(_ images: Tensor) -> Tensor { mean(images) }

    public var headInit: Initializer { .uniform(bound: 1 / Double(grid.width).squareRoot()) }

    /// The stem 0, each stage one more, the head last.
    public var layers: LayerDecay { .stages(settings.stages.count) }

    public func weightDecay(for use: EncoderUse) -> DecayRule { .sparK }
}

extension Convnet {
    /// One entry of a list.
    public enum Layer: Sendable, Equatable {
        case convolution(channels: Int, Window, groups: Int, hasBias: Bool)
        case batchNorm, layerNorm
        /// After a batch norm, or after the sum behind it.
        case activation(BatchNorm.Activation)
        case maxPool(Window)
        case averagePool(Window, countsPadding: Bool)
        /// Remembers the map that `add` adds: the shortcut of a residual block.
        case keep, add

        var stride: Int {
            switch self {
            case .convolution(_, let window, _, _), .maxPool(let window), .averagePool(let window, _): window.stride
            case .batchNorm, .layerNorm, .activation, .keep, .add: 1
            }
        }
    }

    /// The model section of a recipe with `kind: convnet`: a net of one's own as lists of layers.
    public struct Settings: EncoderSettings, Equatable {
        public static let kind = "convnet"

        public let stem: [Layer]
        public let stages: [[Layer]]
        public let densifyNorm: DensifyNorm
        /// A layer that is refused or invalid has said so itself; the net is then not judged.
        private var isJudged = true

        public init(stem: [Layer], stages: [[Layer]], densifyNorm: DensifyNorm = .batch) {
            (self.stem, self.stages, self.densifyNorm) = (stem, stages, densifyNorm)
        }

        private enum CodingKeys: String, CodingKey { case stem, stages, densifyNorm }

        public init(from decoder: any Decoder) throws {
            let keys = try decoder.container(keyedBy: CodingKeys.self)
            let stem = try keys.decode([LayerKeys].self, forKey: .stem)
            let stages = try keys.decode([[LayerKeys]].self, forKey: .stages)
            self.init(
                stem: stem.map(\.layer), stages: stages.map { $0.map(\.layer) },
                densifyNorm: try keys.decode(DensifyNorm.self, forKey: .densifyNorm))
            isJudged = (stem + stages.flatMap(\.self)).allSatisfy { $0.kind.refusal == nil && $0.isValid }
        }

        public static let defaults = ["densify_norm": "batch"]
        public static let meanings = [
            "stem": "Layers before the first stage; the first one is a conv.",
            "stages": "A list of layers for each stage. Each stage gives a map; all but the first halve the side.",
            "densify_norm": "SparK's norm of each map: batch or layer.",
        ]

        public func check(_ here: Here) {
            guard isJudged, let problem else { return }
            here.require(
                false, at: problem.list.prefix { $0 != "[" } == "stem" ? "stem" : "stages",
                "\(problem.list)[\(problem.layer)]: \(problem.reason)")
        }

        public func check(_ recipe: Recipe, _ here: Here) { here.requireStride(ratio, recipe) }

        public func encoder(_ scope: Scope, image: ImageSpec, for use: EncoderUse) throws(ModelError) -> any Encoder {
            try Convnet(scope, self, image: image)
        }

        /// Settings that a net must share to take these weights.
        public var lineage: [String: String] { ["stem": "\(stem)", "stages": "\(stages)"] }

        /// Image pixels along a side of one position of the last map.
        public var ratio: Int { ([stem] + stages).reduce(1) { $1.reduce($0) { $0 * $1.stride } } }

        /// The fault that keeps the lists from being a net: the list, the layer in it, and the reason.
        public var problem: (list: String, layer: Int, reason: String)? {
            if case .convolution(_, _, 1, _)? = stem.first {} else { return ("stem", 0, "a convolution comes first") }
            guard !stages.isEmpty else { return ("stages", 0, "at least one stage gives a map") }
            let strides = ([stem] + stages).map { $0.reduce(1) { $0 * $1.stride } }
            // The first map may lie at any power of two; each further one has half the side.
            if (strides[0] * strides[1]).nonzeroBitCount != 1 { return ("stem", 0, "strides are powers of two") }
            for (index, stride) in strides.enumerated().dropFirst(2) where stride != 2 {
                return (
                    "stages[\(index - 1)]", 0,
                    "a stage after the first halves the side, this one divides it by \(stride)"
                )
            }
            var width = 0
            for (name, layers) in [("stem", stem)] + stages.enumerated().map({ ("stages[\($0.offset)]", $0.element) }) {
                var kept: (width: Int, stride: Int)?
                var stride = 1
                for (index, layer) in layers.enumerated() {
                    if let reason = problem(layer, after: index > 0 ? layers[index - 1] : nil, width, kept, stride) {
                        return (name, index, reason)
                    }
                    stride *= layer.stride
                    if case .convolution(let channels, _, _, _) = layer { width = channels }
                    if layer == .keep { kept = (width, stride) }
                }
            }
            return nil
        }

        private func problem(
            _ layer: Layer, after last: Layer?, _ width: Int, _ kept: (width: Int, stride: Int)?, _ stride: Int
        ) -> String? {
            switch layer {
            case .convolution(let channels, _, let groups, _):
                let divides = channels % groups == 0 && (width == 0 || width % groups == 0)
                return divides ? nil : "\(groups) groups do not divide \(width) and \(channels) channels"
            case .activation:
                return last == .batchNorm || last == .add ? nil : "an activation follows a batch_norm, or its add"
            case .add:
                guard let kept else { return "add needs a keep before it in the same list" }
                return kept == (width, stride) ? nil : "add needs the map that it adds to have the same extents"
            case .batchNorm, .layerNorm, .maxPool, .averagePool, .keep: return nil
            }
        }

        func check(_ image: ImageSpec) throws(ModelError) {
            if let problem {
                throw ModelError(
                    "model.\(problem.list)[\(problem.layer)]", found: "another layer", expected: problem.reason,
                    hint: "layers are counted from 0")
            }
            try image.check(stride: ratio)
        }
    }
}

/// The keys of one layer in a recipe. Its kind decides which of them it reads.
private struct LayerKeys: RecipeSection {
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
        "kernel_size":
            "Side of the window. Odd ones are padded to keep the side; an even one is as large as its stride.",
        "stride": "Positions between windows.",
        "dilation": "Positions between the taps of a window.",
        "groups": "Groups of channels that do not mix.",
        "bias": "Whether a bias is added.",
        "count_include_pad": "Whether taps outside the map count in the average.",
    ]

    /// The numbers can be a layer's.
    var isValid: Bool {
        [channels, kernelSize, stride, dilation, groups].allSatisfy { $0 >= 1 }
            && (kernelSize % 2 == 1 || kernelSize == stride)
    }

    var layer: Convnet.Layer {
        // What is refused or invalid has been reported; any layer takes its place.
        let side = isValid ? kernelSize : 1
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
