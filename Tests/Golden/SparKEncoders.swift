import Autodiff
import Kernels
import Layers
import Models
import Testing

/// Encoders and the decoder alone.
@Suite struct SparKEncoders {
    struct Decoder: Decodable, Sendable {
        let up_sample_ratio, width, cells, batch: Int
        let inputs_given: [Int]
    }

    static let encoders = SparKFile<SparKNet>.files(holding: "input/active", "output/feat_0", "input/cotangent_0")
    static let decoders = SparKFile<Decoder>.files(holding: "input/to_dec_0", "input/cotangent")
    private let pool = WorkerPool(threads: 2)

    @Test(arguments: encoders) func `an encoder gives the reference's maps and gradients`(
        _ golden: SparKFile<SparKNet>
    ) throws {
        let (active, graph) = (try golden.active(), Graph())
        let (mask, cells) = active.recorded(graph)
        let images = graph.input("images", [active.batch, golden.config.input_size, golden.config.input_size, 3])
        let encoder = try #require(
            golden.config.settings().encoder(graph.scope, image: golden.config.image, for: .pretraining)
                as? any HierarchicalEncoder)
        var wanted: [(String, Tensor)] = []
        let maps: [GridRows]
        if let resNet = encoder as? ResNet {
            let stem = resNet.stem(images, cells: cells)
            wanted.append(("output/stem", stem.rows))
            maps = resNet.maps(from: stem)
        } else {
            maps = encoder.maps(images, cells: cells)
        }
        let terms = try maps.enumerated().map { index, map in
            let cotangent = try golden.file.tensor("input/cotangent_\(index)")
            wanted.append(("output/feat_\(index)", map.rows))
            return map.rows.apply(Weighted(active.rows(cotangent.floats, cotangent.shape)))
        }
        let loss = terms.dropFirst().reduce(terms[0]) { Add()($0, $1) }
        let store = ParameterStore(graph, minimising: loss, seed: 0, pool: pool)
        try golden.load(into: store)
        let plan = try Plan(graph, minimising: loss, keeping: wanted.map(\.1) + [loss], store: store, pool: pool)
        let stored = try golden.file.tensor("input/images")
        func run(_ plan: Plan) {
            plan.set(mask, active.hidden)
            plan.set(images, Floats(channelsLast(stored.floats, stored.shape)))
            plan.forward()
        }
        run(plan)
        for (key, tensor) in wanted {
            let reference = try golden.file.tensor(key)
            expectWithin(1e-4, plan.value(of: tensor).array, active.rows(reference.floats, reference.shape), key)
        }
        expectWithin(1e-5, [plan.value(of: loss)[0]], try golden.floats("output/loss"), "loss")
        try golden.compareBuffers(store)
        let buffers = golden.buffers(store)
        try golden.compareGradients(store, pool: pool) {
            run(plan)
            plan.backward()
            return 1
        }
        golden.restore(buffers, store)
        guard golden.file.contains("output/eval_feat_last") else { return }
        let last = try #require(maps.last)
        let evaluation = try Plan(graph, minimising: nil, keeping: [last.rows], store: store, pool: pool)
        run(evaluation)
        let reference = try golden.file.tensor("output/eval_feat_last")
        expectWithin(
            1e-4, evaluation.value(of: last.rows).array, active.rows(reference.floats, reference.shape), "evaluation")
    }

    @Test(arguments: decoders) func `the decoder gives the reference's blocks and gradients`(
        _ golden: SparKFile<Decoder>
    ) throws {
        let (config, graph) = (golden.config, Graph())
        let cells = ActiveCells(all: config.batch, in: graph)
        let decoder = LightDecoder(
            graph.scope, width: config.width, doublings: config.up_sample_ratio.trailingZeroBitCount, channels: 3)
        let most = try #require(config.inputs_given.max())
        let maps: [GridRows?] = (0...most).map { index in
            guard config.inputs_given.contains(index) else { return nil }
            let side = config.cells << index
            let shape: Shape = [config.batch, side * side, config.width >> index]
            let rows = graph.apply(TrainedInput(graph.scope, "to_dec_\(index)", shape))
            return GridRows(rows: rows, side: side, cells: cells)
        }
        let (blocks, image) = decoder(maps)
        func values(_ key: String) throws -> [Float] {
            let tensor = try golden.file.tensor(key)
            return channelsLast(tensor.floats, tensor.shape)
        }
        let loss = image.rows.apply(Weighted(try values("input/cotangent")))
        let store = ParameterStore(graph, minimising: loss, seed: 0, pool: pool)
        for name in store.names {
            let value = try #require(store.value(name))
            if name.hasPrefix("to_dec") {
                value.copy(from: try values("input/\(name)"))
            } else {
                try golden.file.tensor("param/\(name)").copy(into: value)
            }
        }
        for buffer in store.buffers {
            let stored = try golden.file.tensor("param/\(buffer.name)")
            try #require(store.buffer(buffer.name)).copy(from: stored.numbers)
        }
        let plan = try Plan(
            graph, minimising: loss, keeping: blocks.map(\.rows) + [image.rows, loss], store: store, pool: pool)
        plan.forward()
        plan.backward()
        for (index, block) in blocks.enumerated() {
            expectWithin(1e-4, plan.value(of: block.rows).array, try values("output/block_\(index)"), "block \(index)")
        }
        expectWithin(1e-4, plan.value(of: image.rows).array, try values("output/rec"), "image")
        for name in store.names {
            let ours = try #require(store.gradient(name)).array
            if name.hasPrefix("to_dec") {
                expectWithin(2e-3, ours, try values("output/grad_\(name)"), "gradient of \(name)")
            } else if !name.hasSuffix(".bias") || golden.file.contains("grad/\(name)") {
                let reference = try golden.floats("grad/\(name)")
                let bar = reference.reduce(Float(1e-3)) { max($0, abs($1)) } * 2e-3
                let worst = zip(ours, reference).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
                #expect(worst <= bar, "gradient of \(name): off by \(worst)")
            }
        }
        try golden.compareBuffers(store)
    }
}
