import Batches
import Kernels
import Objectives
import Platform
import Recipes
import Testing

struct PipelineFixture: Decodable, Sendable {
    struct Training: Decodable, Sendable {
        let box: [Int]
        let size: Int
        let flip: Bool
    }
    /// A name and its argument.
    struct Operation: Decodable, Sendable {
        let name: String
        let argument: Double?

        init(from decoder: any Decoder) throws {
            var pair = try decoder.unkeyedContainer()
            name = try pair.decode(String.self)
            argument = try pair.isAtEnd ? nil : pair.decodeIfPresent(Double.self)
        }
    }
    struct FineTuning: Decodable, Sendable {
        let box, erase: [Int]
        let size: Int
        let flip: Bool
        let ops: [Operation]
    }
    struct Evaluation: Decodable, Sendable { let size: Int }
    struct Padded: Decodable, Sendable {
        let top, left: Int
        let flip: Bool
    }
    let pretrain, spark_pretrain: Training
    let finetune: FineTuning
    let ops_fill: [UInt8]
    let ops_interpolation: Interpolation
    let eval: Evaluation
    let cifar: Padded
    let source: String
    let mean, std: [Double]
}

@Suite struct `whole chains` {
    @Test(arguments: ImageFixture<PipelineFixture>.all(in: "augmentation"))
    func `pre-training chains equal the reference bit for bit`(_ fixture: ImageFixture<PipelineFixture>) throws {
        let chains: [(String, PipelineFixture.Training, Interpolation)] = [
            ("output/simmim_pretrain", fixture.config.pretrain, .bilinear),
            ("output/spark_pretrain", fixture.config.spark_pretrain, .bicubic),
        ]
        for (name, chain, interpolation) in chains {
            var image = try decoded(fixture)
            let box = Box(top: chain.box[0], left: chain.box[1], height: chain.box[2], width: chain.box[3])
            image.resize(box, height: chain.size, width: chain.size, interpolation)
            if chain.flip { image.mirror() }
            try expectNormalised(image, fixture, name)
        }
    }

    @Test(arguments: ImageFixture<PipelineFixture>.all(in: "augmentation"))
    func `the fine-tuning chain with policy and erasing equals the reference bit for bit`(
        _ fixture: ImageFixture<PipelineFixture>
    ) throws {
        let config = fixture.config, chain = config.finetune
        var image = try decoded(fixture)
        let box = Box(top: chain.box[0], left: chain.box[1], height: chain.box[2], width: chain.box[3])
        image.resize(box, height: chain.size, width: chain.size, .bicubic)
        if chain.flip { image.mirror() }
        for step in chain.ops {
            let size = chain.size
            let operation = try #require(timmOperation(step.name, step.argument, height: size, width: size))
            image.apply(operation, config.ops_interpolation, fill: SIMD3(config.ops_fill))
        }
        let bytes = "output/simmim_finetune_uint8"
        if fixture.tensors.contains(bytes) { expectEqual(image, try fixture.tensors.tensor(bytes), bytes) }
        let floats = Floats(zeros: image.bytes.count)
        try normalisation(config).apply(image, into: floats)
        let hole = Box(top: chain.erase[0], left: chain.erase[1], height: chain.erase[2], width: chain.erase[3])
        try erase(hole, of: floats, width: image.width, noise: fixture.tensors.tensor("input/erase_noise"))
        let name = "output/simmim_finetune"
        expectEqual(
            floats, height: image.height, width: image.width, channelsFirst: try fixture.tensors.tensor(name), name)
    }

    @Test(arguments: ImageFixture<PipelineFixture>.all(in: "augmentation"))
    func `the evaluation chain equals the reference bit for bit`(_ fixture: ImageFixture<PipelineFixture>) throws {
        let size = fixture.config.eval.size
        var image = try decoded(fixture)
        // A network that takes images of any size.
        let recipe = try variant(
            "images: {size: \(size), evaluation: {crop_pct: 0.875, interpolation: bicubic}}",
            of: "elr-fcn2x256-digits-sym40-150ep")
        recipe.evaluationTransform.augment(&image, SampleKey(seed: 0, epoch: 0, sample: 0))
        try expectNormalised(image, fixture, "output/simmim_eval")
    }

    @Test(arguments: ImageFixture<PipelineFixture>.all(in: "augmentation"))
    func `the padded crop equals the reference byte for byte`(_ fixture: ImageFixture<PipelineFixture>) throws {
        let chain = fixture.config.cifar
        var image = try fixture.image("input/cifar")
        image.window(top: chain.top - 4, left: chain.left - 4, height: image.height, width: image.width)
        if chain.flip { image.mirror() }
        expectEqual(image, try fixture.tensors.tensor("output/cifar_crop_pad4"), "cifar")
    }

    private func normalisation(_ config: PipelineFixture) throws -> Normalisation {
        try variant("images: {normalize: {mean: \(config.mean), std: \(config.std)}}").trainingTransform.normalisation
    }

    private func decoded(_ fixture: ImageFixture<PipelineFixture>) throws -> Image {
        var image = Image()
        let path = fixture.folder + "/" + fixture.config.source
        try image.decode(MappedFile(path).bytes, path: path)
        expectEqual(image, try fixture.tensors.tensor("input/decoded"), "input/decoded")
        return image
    }

    private func expectNormalised(
        _ image: borrowing Image, _ fixture: ImageFixture<PipelineFixture>, _ name: String
    ) throws {
        let floats = Floats(zeros: image.bytes.count)
        try normalisation(fixture.config).apply(image, into: floats)
        expectEqual(
            floats, height: image.height, width: image.width, channelsFirst: try fixture.tensors.tensor(name), name)
    }
}
