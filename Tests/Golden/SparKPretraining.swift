import Autodiff
import Batches
import FoundationEssentials
import Kernels
import Layers
import Models
import Objectives
import Testing

/// The whole model, its loss, and what belongs to it.
@Suite struct SparKPretraining {
    struct Patches: Decodable, Sendable { let patch, cells, batch: Int }
    struct Masks: Decodable, Sendable {
        let len_keep_table: [String: Int]
    }

    static let models = SparKFile<SparKNet>.files(holding: "input/active", "output/to_dec_0", "output/rec")
    static let patches = SparKFile<Patches>.files(holding: "input/rec", "output/l2_per_patch")
    static let masks = SparKFile<Masks>.files()
    private let pool = WorkerPool(threads: 2)

    @Test(arguments: models) func `a model gives the reference's image, loss and gradients`(
        _ golden: SparKFile<SparKNet>
    ) throws {
        let (active, graph, net) = (try golden.active(), Graph(), golden.config)
        let objective = try SparK(
            .init(maskRatio: try #require(net.mask_ratio), decoderWidth: try #require(net.decoder_width)),
            net.settings(), graph.scope, InputSpec(image: net.image))
        let batch = objective.inputs(graph, batch: active.batch)
        let mask = try #require(batch.mask)
        let cells = ActiveCells(mask: mask, total: active.total, isEven: active.isEven)
        let (maps, image) = objective.predict(batch.images, cells)
        let loss = objective.loss(of: image, batch.images, mask: mask)
        let shown = DenormalisedCells(cell: objective.encoder.grid.stride)(image, batch.images)
        let store = ParameterStore(graph, minimising: loss.sum, seed: 0, pool: pool)
        try golden.load(into: store)
        let plan = try Plan(
            graph, minimising: loss.sum, keeping: maps.map(\.rows) + [image, loss.sum, loss.weight], store: store,
            pool: pool)
        let stored = try golden.file.tensor("input/images")
        let images = Floats(channelsLast(stored.floats, stored.shape))
        func run(_ plan: Plan) {
            plan.set(mask, active.hidden)
            plan.set(batch.images, images)
            plan.forward()
        }
        run(plan)
        let weight = plan.value(of: loss.weight)[0]
        expectWithin(1e-5, [plan.value(of: loss.sum)[0] / weight], try golden.floats("output/loss"), "loss")
        func values(_ key: String) throws -> [Float] {
            let tensor = try golden.file.tensor(key)
            return channelsLast(tensor.floats, tensor.shape)
        }
        for (index, map) in maps.enumerated() {
            expectWithin(1e-4, plan.value(of: map.rows).array, try values("output/to_dec_\(index)"), "map \(index)")
        }
        expectWithin(1e-4, plan.value(of: image).array, try values("output/rec"), "image")
        try golden.compareBuffers(store)
        let buffers = golden.buffers(store)
        try golden.compareGradients(store, pool: pool) {
            run(plan)
            plan.backward()
            return weight
        }
        golden.restore(buffers, store)
        guard golden.file.contains("output/eval_vis_rec_or_inp") else { return }
        let evaluation = try Plan(graph, minimising: nil, keeping: [shown], store: store, pool: pool)
        run(evaluation)
        let rebuilt = Floats(zeros: images.count)
        pool.unpatchify(
            evaluation.value(of: shown), into: rebuilt, batch: active.batch, height: net.input_size,
            width: net.input_size, channels: 3, patch: objective.encoder.grid.stride)
        let (side, stride) = (net.input_size, objective.encoder.grid.stride)
        let mixed = (0..<images.count).map { index in
            let (row, column) = (index / 3 / side, index / 3 % side)
            let cell = (row / side * active.grid + row % side / stride) * active.grid + column / stride
            return active.cells[cell] == 1 ? images[index] : rebuilt[index]
        }
        expectWithin(1e-4, mixed, try values("output/eval_vis_rec_or_inp"), "shown image")
    }

    @Test(arguments: patches) func `the loss is that of the reference`(_ golden: SparKFile<Patches>) throws {
        let (active, graph) = (try golden.active(), Graph())
        let side = golden.config.patch * golden.config.cells
        let mask = graph.input("mask", [active.batch, active.grid, active.grid])
        let images = graph.input("images", [active.batch, side, side, 3])
        let image = graph.apply(TrainedInput(graph.scope, "rec", [active.batch, side * side, 3]))
        let (sum, weight) = (NormalisedCellLoss()(image, images, mask: mask), MaskedCellCount()(mask))
        let shown = DenormalisedCells(cell: golden.config.patch)(image, images)
        func values(_ key: String) throws -> [Float] {
            let tensor = try golden.file.tensor(key)
            return channelsLast(tensor.floats, tensor.shape)
        }
        let store = ParameterStore(graph, minimising: sum, seed: 0, pool: pool)
        try #require(store.value("rec")).copy(from: try values("input/rec"))
        let plan = try Plan(graph, minimising: sum, keeping: [sum, weight, shown], store: store, pool: pool)
        let pixels = Floats(try values("input/images"))
        func run(_ hidden: Floats) {
            plan.set(mask, hidden)
            plan.set(images, pixels)
            plan.forward()
        }
        run(active.hidden)
        plan.backward()
        let count = plan.value(of: weight)[0]
        expectWithin(1e-6, [plan.value(of: sum)[0] / count], try golden.floats("output/loss"), "loss")
        pool.scale(store.gradients, by: 1 / count)
        expectWithin(1e-5, try #require(store.gradient("rec")).array, try values("output/grad_rec"), "gradient")
        let rebuilt = Floats(zeros: pixels.count)
        pool.unpatchify(
            plan.value(of: shown), into: rebuilt, batch: active.batch, height: side, width: side, channels: 3,
            patch: golden.config.patch)
        expectWithin(1e-5, rebuilt.array, try values("output/rec_denormalised"), "image")
        // One hidden cell at a time.
        let each = try golden.floats("output/l2_per_patch")
        let ours = each.indices.map { cell in
            run(Floats(each.indices.map { $0 == cell ? 1 : 0 }))
            return plan.value(of: sum)[0]
        }
        expectWithin(1e-5, ours, each, "cells")
    }

    @Test(arguments: masks) func `as many cells are visible as in the reference`(_ golden: SparKFile<Masks>) throws {
        for (key, visible) in golden.config.len_keep_table {
            let parts = key.split(separator: "@")
            let grid = try #require(Int(parts[0].split(separator: "x")[0]))
            let ratio = try #require(Double(parts[1]))
            // The parent's convnet has a stride of 16.
            let recipe = try variant(
                "images: {size: \(16 * grid)}\nobjective: {mask_ratio: \(ratio)}", of: "spark-convnet-procedural")
            let objective = try Catalog.objective(recipe, Graph().scope, InputSpec(recipe, classes: 0))
            let masking = try #require(objective.masking)
            #expect(masking.cells == grid * grid && masking.visibleCells == visible, "\(key)")
        }
    }

    @Test(arguments: [ResNet.Settings(.resnet50) as any EncoderSettings, ConvNeXt.Settings(.small)])
    func `a model of published size has the reference's keys`(_ settings: any EncoderSettings) throws {
        let name = settings is ResNet.Settings ? "keys_resnet50" : "keys_convnext_small"
        guard let data = FileManager.default.contents(atPath: "\(SparKFolder.path)/\(name).json") else { return }
        let keys = try JSONDecoder().decode([String: [Int]].self, from: data)
        let graph = Graph()
        _ = try SparK(
            .init(maskRatio: 0.6, decoderWidth: 768), settings, graph.scope, InputSpec(image: ImageSpec(side: 224)))
        let parameters = graph.parameters.map { ($0.name, $0.shape.extents) }
        let ours = Dictionary(uniqueKeysWithValues: parameters + graph.buffers.map { ($0.name, $0.shape.extents) })
        // Three buffers of the reference hold nothing.
        #expect(ours == keys.filter { !["imn_m", "imn_s", "norm_black"].contains($0.key) })
    }
}
