import Autodiff
import Batches
import Kernels
import Layers
import Models
import Testing

/// TokenAdapt: f, the movements, g, the loss and the gradients of both.
@Suite struct SeiTTokenAdapt {
    static let files = SeiTModelFile.files(holding: "input/target_tokens", "output/features")
    private let pool = WorkerPool(threads: 2)

    @Test func `there is a network to compare with`() { #expect(!Self.files.isEmpty) }

    @Test(arguments: files) func `TokenAdapt gives the reference's values and gradients`(_ golden: SeiTModelFile) throws
    {
        let config = golden.config
        let width = try #require(config.code_dim), codes = try #require(config.codebook_size)
        let settings = TokenAdapt.Settings(
            .init(
                width: try #require(config.dim), depth: try #require(config.depth), heads: try #require(config.heads),
                headWidth: try #require(config.dim_head), hidden: try #require(config.mlp_dim)),
            codes: codes, width: width, stored: try #require(config.grid_in), size: try #require(config.grid_out))
        let graph = Graph()
        let network = try TokenAdapt(graph.scope, settings)
        let ids = try golden.integers("input/tokens")
        let samples = try golden.shape("input/tokens")[0]
        let maps = graph.input("maps", [samples, settings.stored, settings.stored, width])
        let geometry = graph.input("geometry", [samples, MapGeometry.floats])
        let straight = graph.input("straight", [samples, MapGeometry.floats])
        let targets = graph.input("targets", [samples, settings.size, settings.size, 1])
        let features = network.features(maps)
        let side = TokenAdapt.patch * settings.size
        let moved = AffineGridSample(side: side)(features, geometry)
        let scores = network.scores(moved)
        let identity = network.scores(AffineGridSample(side: side)(features, straight))
        let sum = MaskedCodeLoss(.crossEntropy(smoothing: 0), patch: 1)(scores, targets)

        let store = ParameterStore(graph, minimising: sum, seed: 0, pool: pool)
        try golden.load(into: store)
        let plan = try Plan(
            graph, minimising: sum, keeping: [features, moved, scores, identity, sum], store: store, pool: pool)
        plan.set(maps, Floats(codeVectors(ids, try golden.floats("input/codebook"), width: width)))
        plan.set(targets, Floats(try golden.integers("input/target_tokens").map { Float($0) }))
        let featureSide = TokenAdapt.patch * settings.stored
        let movement = try #require(config.augmentation)
        let mirror: [MapWarp] = movement.hflip ? [.mirror(side: featureSide)] : []
        let affine = MapWarp.affine(
            angle: movement.angle, translation: (movement.translate[0], movement.translate[1]),
            shear: (movement.shear[0], movement.shear[1]), side: featureSide)
        let part = MapCrop(
            top: movement.crop[0], left: movement.crop[1], height: movement.crop[2], width: movement.crop[3])
        let offset = try #require(config.identity_crop_offset)
        for (input, whole) in [
            (geometry, MapGeometry(part, warps: mirror + [affine])),
            (straight, MapGeometry(MapCrop(top: offset, left: offset, height: side, width: side), warps: [])),
        ] {
            let floats = Floats(zeros: samples * MapGeometry.floats)
            for sample in 0..<samples {
                whole.write(to: floats[sample * MapGeometry.floats..<(sample + 1) * MapGeometry.floats])
            }
            plan.set(input, floats)
        }
        plan.forward()
        plan.backward()
        expectOutputs(plan.value(of: features).array, try golden.maps("output/features"), "features")
        expectOutputs(plan.value(of: moved).array, try golden.maps("output/augmented"), "augmented")
        expectOutputs(plan.value(of: scores).array, try golden.floats("output/logits"), "logits")
        expectOutputs(plan.value(of: identity).array, try golden.floats("output/identity_logits"), "identity_logits")
        let places = targets.shape.count
        expectOutputs([plan.value(of: sum)[0] / Float(places)], try golden.floats("output/loss"), "loss")
        let found = Floats(zeros: places)
        pool.largestColumns(plan.value(of: scores), into: found, columns: codes, among: codes)
        #expect(found.array.map { Int($0) } == (try golden.integers("output/tokens")))
        expectOutputs(
            codeVectors(found.array.map { Int($0) }, try golden.floats("input/codebook"), width: width),
            try golden.maps("output/embedded"), "embedded")
        try golden.compareGradients(store, weight: Double(places))
    }
}
