import Autodiff
import Kernels
import Layers
import Models
import Testing

/// The networks that gradient noise, early-learning regularisation and guidance were published with.
@Suite struct NoisyLabelNetworks {
    private func parameters(_ settings: any EncoderSettings, _ image: ImageSpec, classes: Int) throws -> [Parameter] {
        let graph = Graph()
        let encoder = try settings.encoder(graph.scope, image: image, for: .classification)
        _ = encoder.head(graph.scope, classes: classes)(
            encoder.pooled(graph.input("images", [2, image.side, image.side, 3])))
        #expect(encoder.outputs(graph.input("again", [2, image.side, image.side, 3])).last?.name == "output")
        return graph.parameters
    }

    @Test(arguments: [
        (CIFARResNet.Kind.resnet34, 10, 21_282_122), (.resnet34, 100, 21_328_292), (.preactResNet18, 10, 11_171_274),
        (.preactResNet18, 100, 11_217_444),
    ])
    func `a network for CIFAR has the published number of parameters`(
        _ kind: CIFARResNet.Kind, _ classes: Int, _ count: Int
    ) throws {
        let parameters = try parameters(CIFARResNet.Settings(kind), ImageSpec(side: 32), classes: classes)
        #expect(parameters.reduce(0) { $0 + $1.shape.count } == count)
        let names = Set(parameters.map(\.name))
        #expect(
            names.isSuperset(of: [
                "conv1.weight", "bn1.bias", "layer2.0.shortcut.0.weight", "layer4.1.bn2.weight", "linear.bias",
            ]))
        #expect(names.contains("layer3.0.shortcut.1.weight") == (kind == .resnet34))
        #expect(!names.contains("layer1.0.shortcut.0.weight"))
    }

    @Test func `the deep fully connected network has the published number of parameters`() throws {
        let settings = FullyConnected.Settings(depth: 20, width: 50, init: .zeros)
        let parameters = try parameters(settings, ImageSpec(side: 28), classes: 10)
        #expect(parameters.reduce(0) { $0 + $1.shape.count } == 88_210)
        #expect(parameters.map(\.name).suffix(2) == ["layers.20.weight", "layers.20.bias"])
    }

    @Test func `the network that is guided has the published number of parameters`() throws {
        var settings = FullyConnected.Settings(depth: 48, width: 1024, init: .uniform, channels: 3)
        settings.firstWidth = 2048
        settings.hasNorms = true
        settings.dropout = 0.1
        let parameters = try parameters(settings, ImageSpec(side: 224), classes: 1000)
        #expect(parameters.reduce(0) { $0 + $1.shape.count } == 359_788_520)
        let names = ["layers.0.weight", "norms.0.weight", "layers.1.weight", "layers.48.weight"]
        let shapes = names.map { name in parameters.first { $0.name == name }?.shape.extents ?? [] }
        #expect(shapes == [[2048, 150_528], [2048], [1024, 2048], [1000, 1024]])
    }

    @Test func `dropout leaves out its share of a layer in training alone`() throws {
        var settings = FullyConnected.Settings(depth: 1, width: 2000, init: .normal, std: 0.1)
        settings.dropout = 0.25
        func values(isTraining: Bool) throws -> [Float] {
            let graph = Graph()
            let x = graph.input("x", [2, 1, 4])
            let y = try #require(FullyConnected(graph.scope, settings, inputs: 4).layers(of: x).last)
            let loss = Sum()(y)
            let pool = WorkerPool(threads: 1)
            let store = ParameterStore(graph, minimising: loss, seed: 3, pool: pool)
            let plan = try Plan(
                graph, minimising: isTraining ? loss : nil, keeping: [y, loss], store: store, pool: pool)
            plan.set(x, Floats([1, -1, 0.5, 2, -2, 1, 1, 0.5]))
            plan.forward()
            return plan.value(of: y).array
        }
        let (kept, all) = (try values(isTraining: true), try values(isTraining: false))
        #expect(zip(kept, all).allSatisfy { $0 == 0 || abs($0 - $1 / 0.75) <= 1e-5 * $1 })
        let living = zip(kept, all).filter { $0.1 > 0 }
        #expect(living.count > 1000)
        #expect(abs(Double(living.count { $0.0 == 0 }) / Double(living.count) - 0.25) < 0.06)
    }

    @Test func `each initialization has its standard deviation`() throws {
        let pool = WorkerPool(threads: 1)
        for (start, expected) in [
            (FullyConnected.Initialization.zeros, 0.0), (.normal, 0.1), (.he, 0.2), (.walk, 0.2 * 1.02545),
            (.uniform, 0.0816),
        ] {
            let graph = Graph()
            let scope = graph.scope["layer"]
            let weight = scope.parameter(
                "weight", [200, 50],
                FullyConnected.Settings(depth: 1, width: 50, init: start, std: 0.1).initializer(inputs: 50))
            let store = ParameterStore(graph, minimising: nil, seed: 3, pool: pool)
            let values = try #require(store.value(weight.name)).array.map(Double.init)
            let deviation = (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
            #expect(abs(deviation - expected) <= 0.03 * expected, "\(start): \(deviation)")
        }
    }
}
