import Autodiff
import Kernels
import Models
import Testing

/// The networks that gradient noise and early-learning regularisation were published with.
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
        let parameters = try parameters(kind, ImageSpec(side: 32), classes: classes)
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
        let settings = FullyConnected.Settings(depth: 20, width: 50, start: .zeros)
        let parameters = try parameters(settings, ImageSpec(side: 28), classes: 10)
        #expect(parameters.reduce(0) { $0 + $1.shape.count } == 88_210)
        #expect(parameters.map(\.name).suffix(2) == ["layers.20.weight", "layers.20.bias"])
    }

    @Test func `each start has its deviation`() throws {
        let pool = WorkerPool(threads: 1)
        for (start, expected) in [
            (FullyConnected.Start.zeros, 0.0), (.normal, 0.1), (.he, 0.2), (.walk, 0.2 * 1.02545), (.uniform, 0.0816),
        ] {
            let graph = Graph()
            let scope = graph.scope["layer"]
            let weight = scope.parameter(
                "weight", [200, 50], FullyConnected.Settings(depth: 1, width: 50, start: start).start(inputs: 50))
            let store = ParameterStore(graph, minimising: nil, seed: 3, pool: pool)
            let values = try #require(store.value(weight.name)).array.map(Double.init)
            let deviation = (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
            #expect(abs(deviation - expected) <= 0.03 * expected, "\(start): \(deviation)")
        }
    }
}
