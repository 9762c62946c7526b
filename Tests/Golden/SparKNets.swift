import Autodiff
import Checkpoints
import Kernels
import Layers
import Models
import Testing

/// The net of a fixture, as its metadata tells it.
struct SparKNet: Decodable, Sendable {
    let arch: String
    let block: String?
    let layers, channels, depths, dims: [Int]?
    let stem_channels, stem, kernel: Int?
    let input_size: Int
    let decoder_width, num_classes: Int?
    let mask_ratio: Double?

    var image: ImageSpec { ImageSpec(side: input_size) }

    func settings() throws -> any EncoderSettings {
        switch arch {
        case "convnext":
            var settings = ConvNeXt.Settings(depths: try #require(depths), widths: try #require(dims))
            settings.kernel = kernel ?? 7
            return settings
        case "custom":
            let half = Window.same(3, stride: 2)
            func first(_ channels: Int, bias: Bool) -> [Convnet.Layer] {
                [.convolution(channels: channels, half, groups: 1, hasBias: bias), .batchNorm, .activation(.relu)]
            }
            return Convnet.Settings(
                stem: first(try #require(stem), bias: true),
                stages: try #require(channels).map { channels in
                    first(channels, bias: false) + [
                        .convolution(channels: channels, .same(3), groups: 2, hasBias: true),
                        .averagePool(.same(3), countsPadding: true), .batchNorm, .activation(.relu),
                    ]
                })
        default:
            return ResNet.Settings(
                try #require(block.flatMap(ResNet.Block.init)), layers: try #require(layers),
                channels: try #require(channels), stem: arch == "resnet" ? .pooled : .small,
                stemWidth: try #require(stem_channels))
        }
    }
}

extension SparKFile {
    /// Fills parameters and running statistics from the file; both sides must name the same ones.
    func load(into store: ParameterStore, from prefix: String = "param/") throws {
        #expect(Set(parts(after: prefix)) == Set(store.names + store.buffers.map(\.name)), "names")
        for name in store.names {
            let (stored, slot) = (try file.tensor(prefix + name), try #require(store.slot(name)))
            #expect(stored.shape == slot.parameter.shape.extents, "\(name)")
            try stored.copy(into: store.values[slot.range])
        }
        for buffer in store.buffers {
            try #require(store.buffer(buffer.name)).copy(from: try file.tensor(prefix + buffer.name).numbers)
        }
    }

    /// Compares all gradients. A ReLU whose input is 0 but for rounding has two slopes, and float32 chooses either: so
    /// does PyTorch, by its number of threads. Where the reference took the other one, ours must meet it with
    /// parameters moved by 2e-7 of themselves, the measure of the fixtures' own bars.
    /// - Parameter gradients: runs one step and gives the divisor of its gradients.
    func compareGradients(_ store: ParameterStore, pool: WorkerPool, _ gradients: () -> Float) throws {
        var problems: [String] = []
        let start = store.values.array
        for trial in 0..<32 {
            var random = RandomStream(seed: UInt64(trial), purpose: .procedural)
            store.values.copy(from: start.map { trial == 0 ? $0 : $0 * Float(1 + 2e-7 * random.uniform(-1...1)) })
            pool.scale(store.gradients, by: 1 / gradients())
            problems = try gradientProblems(store)
            if problems.isEmpty { break }
        }
        store.values.copy(from: start)
        #expect(problems.isEmpty)
    }

    /// Bars of the fixtures' README: all gradients together 5e-4, each 2e-3 of its largest value + 1e-4 of the norm.
    private func gradientProblems(_ store: ParameterStore) throws -> [String] {
        let pairs = try store.trainableSlots.map { slot in
            (
                name: slot.parameter.name, ours: store.gradients[slot.range].array,
                reference: try floats("grad/\(slot.parameter.name)")
            )
        }
        #expect(Set(pairs.map(\.name)) == Set(parts(after: "grad/")), "trained parameters")
        let squares = pairs.map { pair in
            zip(pair.ours, pair.reference).reduce((difference: 0.0, norm: 0.0)) {
                let (one, other) = (Double($1.0), Double($1.1))
                return ($0.difference + (one - other) * (one - other), $0.norm + other * other)
            }
        }
        let difference = squares.reduce(0) { $0 + $1.difference }.squareRoot()
        let norm = squares.reduce(0) { $0 + $1.norm }.squareRoot()
        var problems = difference <= 5e-4 * norm ? [] : ["all gradients: off by \(difference) of \(norm)"]
        for (name, ours, reference) in pairs {
            let largest = reference.reduce(Float(0)) { max($0, abs($1)) }
            let bar = 2e-3 * (largest + Float(1e-4 * norm))
            let worst = zip(ours, reference).reduce(Float(0)) { $1.0.isNaN ? .infinity : max($0, abs($1.0 - $1.1)) }
            if worst > bar { problems.append("gradient of \(name): off by \(worst), bar \(bar)") }
        }
        return problems
    }

    func buffers(_ store: ParameterStore) -> [[Float]] { store.buffers.map { store.buffer($0.name)?.array ?? [] } }

    func restore(_ values: [[Float]], _ store: ParameterStore) {
        for (buffer, values) in zip(store.buffers, values) { store.buffer(buffer.name)?.copy(from: values) }
    }

    /// Running statistics after one forward pass.
    func compareBuffers(_ store: ParameterStore) throws {
        for buffer in store.buffers {
            let ours = try #require(store.buffer(buffer.name)).array
            expectWithin(1e-5, ours, try file.tensor("after/\(buffer.name)").numbers, buffer.name)
        }
    }
}
