import Autodiff
import Checkpoints
import Kernels
import Layers
import Models
import Objectives
import Recipes
import Testing

/// A guided step as its metadata tells it.
struct GuidedStepCase: Decodable, Sendable {
    let batch, classes, steps: Int
    let image: [Int]
    let lr, alpha: Double
    let mapping: [String: String]
    let loss_term_order: [String]
}

/// Extents of a fixture's parameters, under their names inside a network.
struct StoredShapes: Decodable, Sendable {
    let prefix: String
    let shapes: [String: [Int]]

    init(_ golden: OptimFile<GuidedStepCase>, _ prefix: String) throws {
        self.prefix = prefix
        let names = golden.parts(after: prefix)
        shapes = try Dictionary(uniqueKeysWithValues: names.map { ($0, try golden.file.tensor(prefix + $0).shape) })
    }

    func outputs(_ name: String) -> Int { shapes[name + ".weight"]?[0] ?? 0 }
    func inputs(_ name: String) -> Int { shapes[name + ".weight"].map { $0.count > 1 ? $0[1] : 0 } ?? 0 }
    func holds(_ name: String) -> Bool { shapes[name + ".weight"] != nil }
}

/// Linear maps, each with batch norm and ReLU, over all values of an image in the order (c, i, j).
struct StudentNet: Encoder {
    struct Settings: EncoderSettings {
        static let kind = "student"
        let stored: StoredShapes

        func encoder(_ scope: Scope, image: ImageSpec, for use: EncoderUse) throws(ModelError) -> any Encoder {
            StudentNet(scope, stored, image)
        }
    }

    let grid: FeatureGrid
    private let hidden: [(Linear, BatchNorm)]

    init(_ scope: Scope, _ stored: StoredShapes, _ image: ImageSpec) {
        let count = (0..<stored.shapes.count).first { !stored.holds("intermediate_layers.\($0).0") } ?? 0
        let parts =
            [("initial_layer", scope["initial_layer"])]
            + (0..<count).map { ("intermediate_layers.\($0)", scope["intermediate_layers"][$0]) }
        hidden = parts.map { name, scope in
            let (inputs, outputs) = (stored.inputs(name + ".0"), stored.outputs(name + ".0"))
            return (Linear(scope[0], inputs, outputs, init: .zeros), BatchNorm(scope[1], outputs))
        }
        grid = FeatureGrid(side: 1, stride: image.side, width: stored.inputs("output_layer.0"))
    }

    func pooled(_ images: Tensor) -> Tensor {
        hidden.reduce(MeanPooling(0..<1)(Patchify(patch: images.shape[1])(images))) { x, layer in
            layer.1(layer.0(x), .relu)
        }
    }

    func outputs(_ images: Tensor) -> [FeatureMap] { [] }
    let headInit = Initializer.zeros
    let headName = "output_layer.0"
    let layers = LayerDecay(last: 0) { _ in 0 }
    func weightDecay(for use: EncoderUse) -> DecayRule { .everything }
}

/// A small residual convnet: a first convolution, blocks that may halve the map, the mean over it.
struct GuideNet: Encoder {
    struct Settings: EncoderSettings {
        static let kind = "guide"
        let stored: StoredShapes

        func encoder(_ scope: Scope, image: ImageSpec, for use: EncoderUse) throws(ModelError) -> any Encoder {
            GuideNet(scope, stored, image)
        }
    }

    private typealias Part = (convolution: Convolution, norm: BatchNorm)
    let grid: FeatureGrid
    private let stem: Part
    private let blocks: [(first: Part, second: Part, downsample: Part?)]

    init(_ scope: Scope, _ stored: StoredShapes, _ image: ImageSpec) {
        func part(_ name: String, _ convolution: Scope, _ norm: Scope, _ window: Window) -> Part {
            (
                Convolution(convolution, stored.inputs(name), stored.outputs(name), window, init: .zeros),
                BatchNorm(norm, stored.outputs(name))
            )
        }
        stem = part("conv1", scope["conv1"], scope["bn1"], .same(3))
        let count = (1..<100).first { !stored.holds("layer\($0).0.conv1") }.map { $0 - 1 } ?? 0
        blocks = (1..<count + 1).map { number in
            let (name, scope) = ("layer\(number).0", scope["layer\(number)"][0])
            let halves = stored.holds(name + ".downsample.0")
            let stride = halves ? 2 : 1
            return (
                part(name + ".conv1", scope["conv1"], scope["bn1"], .same(3, stride: stride)),
                part(name + ".conv2", scope["conv2"], scope["bn2"], .same(3)),
                halves
                    ? part(
                        name + ".downsample.0", scope["downsample"][0], scope["downsample"][1], .same(1, stride: stride)
                    )
                    : nil
            )
        }
        grid = FeatureGrid(side: 1, stride: image.side, width: stored.inputs("fc"))
    }

    func pooled(_ images: Tensor) -> Tensor {
        let cells = ActiveCells(all: images.shape[0], in: images.graph)
        var x = stem.convolution(images, cells: cells).map { stem.norm($0, .relu) }
        for block in blocks {
            let y = block.second.convolution(block.first.convolution(x).map { block.first.norm($0, .relu) })
            let shortcut = block.downsample.map { part in part.convolution(x).map { part.norm($0) } } ?? x
            x = y.map { block.second.norm($0, adding: shortcut.rows, keep: nil, .relu) }
        }
        return MeanPooling(0..<x.side * x.side)(x.rows).feature(.pooled, "pooled")
    }

    func outputs(_ images: Tensor) -> [FeatureMap] { [] }
    let headInit = Initializer.zeros
    let layers = LayerDecay(last: 0) { _ in 0 }
    func weightDecay(for use: EncoderUse) -> DecayRule { .everything }
}

/// The guidance section of a recipe.
func guidanceSettings(_ text: String) throws -> Guidance.Settings {
    let node = try YAMLReader.read("guide_arch: {kind: resnet}\n" + text) {
        .file("guidance.yaml", line: $0, column: $1)
    }
    return try Section(kind: "", node: node, path: "guidance").decode(Guidance.Settings.self)
}
