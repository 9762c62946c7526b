import Autodiff
import Kernels
import Layers
import Testing

/// What each layer of the fixture is.
struct SparKOperationsConfig: Decodable, Sendable {
    struct Layer: Decodable, Sendable {
        let op: String
        let k, s, p, dilation, groups: Int?
        let bias: Bool?
        let note: String?
        let tile, cin: Int

        var window: Window {
            Window(k ?? 1, stride: s ?? 1, padding: p ?? 0, dilation: dilation ?? 1)
        }
    }
    let ops: [String: Layer]
}

/// One sparse layer at a time: output, gradients of input and parameters, running statistics.
@Suite struct SparKOperations {
    static let files = SparKFile<SparKOperationsConfig>.files(holding: "input/active")
    private let pool = WorkerPool(threads: 2)

    @Test(arguments: files) func `each layer gives the reference's values and gradients`(
        _ golden: SparKFile<SparKOperationsConfig>
    ) throws {
        for (name, layer) in golden.config.ops { try check(golden, name, layer) }
    }

    /// The first convolution of a net reads the image itself.
    @Test(arguments: files) func `a convolution over masked images gives the same`(
        _ golden: SparKFile<SparKOperationsConfig>
    ) throws {
        for (name, layer) in golden.config.ops where layer.op == "conv" && layer.groups == nil && layer.dilation == nil
        {
            let active = try golden.active()
            let graph = Graph()
            let (mask, cells) = active.recorded(graph)
            let stored = try golden.file.tensor("input/\(name)/x")
            let images = graph.input("images", [stored.shape[0], stored.shape[2], stored.shape[3], stored.shape[1]])
            let weight = try golden.file.tensor("param/\(name).weight").shape
            let y = Convolution(
                graph.scope[name], layer.cin, weight[0], layer.window, bias: layer.bias ?? false, init: .zeros
            )(images, cells: cells).rows
            // Whatever stands at hidden pixels: the layer takes them as 0.
            var pixels = channelsLast(stored.floats, stored.shape)
            let (side, tile) = (stored.shape[2], layer.tile)
            for index in pixels.indices {
                let (row, column) = (index / layer.cin / side, index / layer.cin % side)
                let cell = (row / side * active.grid + row % side / tile) * active.grid + column / tile
                if active.cells[cell] == 0 { pixels[index] = 7 }
            }
            try compare(golden, name, layer, active, graph, y) {
                $0.set(mask, active.hidden)
                $0.set(images, Floats(pixels))
            }
        }
    }

    private func check(
        _ golden: SparKFile<SparKOperationsConfig>, _ name: String, _ layer: SparKOperationsConfig.Layer
    ) throws {
        let active = try golden.active()
        let graph = Graph()
        let (mask, cells) = active.recorded(graph)
        let side = layer.tile * active.grid
        let source = TrainedInput(graph.scope, "x", cells.shape(side: side, channels: layer.cin))
        let x = GridRows(rows: graph.apply(source), side: side, cells: cells)
        let scope = graph.scope[name]
        let y: Tensor
        switch layer.op {
        case "conv":
            let outputs = try golden.file.tensor("param/\(name).weight").shape[0]
            y =
                Convolution(
                    scope, layer.cin, outputs, layer.window, groups: layer.groups ?? 1, bias: layer.bias ?? false,
                    init: .zeros)(x).rows
        case "maxpool": y = Pooling.max(x, layer.window).rows
        case "avgpool":
            let countsPadding = layer.note?.contains("count_include_pad=false") != true
            y = Pooling.average(x, layer.window, countsPadding: countsPadding).rows
        case "batchnorm": y = BatchNorm(scope, layer.cin)(x.rows)
        default: y = LayerNorm(scope, layer.cin, epsilon: 1e-6)(x.rows)
        }
        try compare(golden, name, layer, active, graph, y) { $0.set(mask, active.hidden) }
    }

    private func compare(
        _ golden: SparKFile<SparKOperationsConfig>, _ name: String, _ layer: SparKOperationsConfig.Layer,
        _ active: ActiveMap, _ graph: Graph, _ y: Tensor, _ set: (Plan) -> Void
    ) throws {
        func rows(_ key: String) throws -> [Float] {
            let tensor = try golden.file.tensor(key)
            return active.rows(tensor.floats, tensor.shape)
        }
        let loss = y.apply(Weighted(try rows("input/\(name)/cotangent")))
        let store = ParameterStore(graph, minimising: loss, seed: 0, pool: pool)
        store.value("x")?.copy(from: try rows("input/\(name)/x"))
        for parameter in graph.parameters where parameter.name != "x" {
            try golden.file.tensor("param/\(parameter.name)").copy(into: try #require(store.value(parameter.name)))
        }
        for buffer in graph.buffers {
            store.buffer(buffer.name)?.copy(from: try golden.file.tensor("param/\(buffer.name)").numbers)
        }
        let plan = try Plan(graph, minimising: loss, keeping: [y], store: store, pool: pool)
        set(plan)
        plan.forward()
        plan.backward()
        expectWithin(1e-6, plan.value(of: y).array, try rows("output/\(name)/y"), "\(name)")
        for slot in store.trainableSlots {
            let parameter = slot.parameter.name
            let ours = store.gradients[slot.range].array
            let reference =
                parameter == "x"
                ? try rows("output/\(name)/grad_x") : try golden.floats("grad/\(parameter)")
            expectWithin(1e-5, ours, reference, "\(name): gradient of \(parameter)")
        }
        for buffer in graph.buffers {
            let ours = try #require(store.buffer(buffer.name)).array
            expectWithin(4e-6, ours, try golden.file.tensor("after/\(buffer.name)").numbers, buffer.name)
        }
    }
}
