import Batches
import Kernels
import Testing

struct CropFixture: Decodable, Sendable {
    struct Case: Decodable, Sendable {
        let `case`, image, top, left, height, width, out_height, out_width: Int
        let interpolation: Interpolation
    }
    let cases: [Case]
    let mean, std: [Double]
}

@Test(arguments: ImageFixture<CropFixture>.all(in: "augmentation"))
func `resized crops equal the reference byte for byte`(_ fixture: ImageFixture<CropFixture>) throws {
    for sample in fixture.config.cases {
        var image = try fixture.image("input/image\(sample.image)")
        let box = Box(top: sample.top, left: sample.left, height: sample.height, width: sample.width)
        image.resize(box, height: sample.out_height, width: sample.out_width, sample.interpolation)
        expectEqual(image, try fixture.tensors.tensor("output/case\(sample.case)"), "case \(sample.case)")

        let name = "output/case\(sample.case)_normalized_chw"
        guard fixture.tensors.contains(name) else { continue }
        let floats = Floats(zeros: image.bytes.count)
        Normalisation(mean: fixture.config.mean, std: fixture.config.std).apply(image, into: floats)
        expectEqual(
            floats, height: image.height, width: image.width, channelsFirst: try fixture.tensors.tensor(name), name)
    }
}

struct EvaluationFixture: Decodable, Sendable {
    struct Case: Decodable, Sendable {
        let `case`, H, W, resize_short, crop, top, left: Int
        let resized_hw: [Int]
        let interpolation: Interpolation
    }
    let cases: [Case]
}

@Test(arguments: ImageFixture<EvaluationFixture>.all(in: "augmentation"))
func `evaluation transforms equal the reference byte for byte`(_ fixture: ImageFixture<EvaluationFixture>) throws {
    var random = RandomStream(seed: 0, purpose: .crop)
    for sample in fixture.config.cases {
        var image = try fixture.image("input/image\(sample.case)")
        let crop = CentreCrop(size: sample.crop)
        Resizing(.shortEdge(sample.resize_short), sample.interpolation).apply(&image, &random)
        #expect([image.height, image.width] == sample.resized_hw)
        #expect([crop.offset(image.height), crop.offset(image.width)] == [sample.top, sample.left])
        crop.apply(&image, &random)
        expectEqual(image, try fixture.tensors.tensor("output/case\(sample.case)"), "case \(sample.case)")
    }
}
