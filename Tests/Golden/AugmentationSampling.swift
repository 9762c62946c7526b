import Batches
import FoundationEssentials
import Kernels
import Platform
import Testing

struct SamplingFixture: Decodable, Sendable {
    struct Crop: Decodable, Sendable {
        let W, H, top, left, height, width, attempts: Int
        let scale, ratio, u_area_ratio: [Double]
        let u_top, u_left: Double
        let fallback: Bool
    }
    struct Geometry: Decodable, Sendable {
        let W, H, resize_short, resized_W, resized_H, crop, top, left: Int
    }
    let random_resized_crop: [Crop]?
    let eval_geometry: [Geometry]?

    static func all() -> [SamplingFixture] {
        goldenFiles(in: "augmentation", ending: ".json").compactMap { path in
            guard let bytes = try? MappedFile(path).bytes.array else { return nil }
            return try? JSONDecoder().decode(SamplingFixture.self, from: Data(bytes))
        }
    }
}

@Test(arguments: SamplingFixture.all().flatMap { $0.random_resized_crop ?? [] })
func `crop boxes from given draws equal the reference`(_ sample: SamplingFixture.Crop) {
    let crop = RandomResizedCrop(
        size: 1, area: sample.scale[0]...sample.scale[1], aspect: sample.ratio[0]...sample.ratio[1], .bilinear)
    // The fixture lists all ten attempts; an accepted one goes on with top and left.
    var draws =
        Array(sample.u_area_ratio.prefix(2 * sample.attempts)) + (sample.fallback ? [] : [sample.u_top, sample.u_left])
    let box = crop.box(height: sample.H, width: sample.W) { draws.removeFirst() }
    #expect(box == Box(top: sample.top, left: sample.left, height: sample.height, width: sample.width))
    #expect(draws.isEmpty)
}

@Test(arguments: SamplingFixture.all().flatMap { $0.eval_geometry ?? [] })
func `evaluation geometry equals the reference`(_ sample: SamplingFixture.Geometry) {
    let size = Resizing(.shortEdge(sample.resize_short), .bicubic).size(height: sample.H, width: sample.W)
    #expect(size == (sample.resized_H, sample.resized_W))
    let crop = CentreCrop(size: sample.crop)
    #expect(crop.offset(size.height) == sample.top)
    #expect(crop.offset(size.width) == sample.left)
}
