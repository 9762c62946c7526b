import Batches
import FoundationEssentials
import Kernels
import Objectives
import Platform
import Recipes
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
    struct Erasing: Decodable, Sendable {
        let W, H: Int
        let probability, u_prob, u_top, u_left: Double
        let u_area_ratio: [Double]
        let erased: Bool
        let top, left, height, width: Int?
    }
    struct CutMix: Decodable, Sendable {
        let H, W, center_y, center_x, yl, yh, xl, xh: Int
        let lam, lam_corrected: Double
    }
    let random_resized_crop: [Crop]?
    let random_erasing: [Erasing]?
    let cutmix_box: [CutMix]?
    let eval_geometry: [Geometry]?

    static func all() -> [SamplingFixture] {
        goldenFiles(in: "augmentation", ending: ".json").compactMap { path in
            guard let bytes = try? MappedFile(path).bytes.array else { return nil }
            return try? JSONDecoder().decode(SamplingFixture.self, from: Data(bytes))
        }
    }
}

@Test(arguments: SamplingFixture.all().flatMap { $0.random_resized_crop ?? [] })
func `crop boxes from given draws equal the reference`(_ sample: SamplingFixture.Crop) throws {
    let recipe = try variant(
        """
        images:
          random_resized_crop: {scale: \(sample.scale), ratio: \(sample.ratio)}
        """)
    let crop = try #require(recipe.trainingTransform.steps.first as? RandomResizedCrop)
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

@Test(arguments: SamplingFixture.all().flatMap { $0.random_erasing ?? [] })
func `erased boxes from given draws equal the reference`(_ sample: SamplingFixture.Erasing) throws {
    guard sample.u_prob <= sample.probability else {
        #expect(!sample.erased)
        return
    }
    let recipe = try variant("images: {random_erasing: {probability: \(sample.probability), mode: pixel}}")
    let erasing = try #require(recipe.trainingTransform.erasing)
    #expect(erasing.probability == sample.probability)
    // Area and ratio of every attempt are given; top and left follow the accepted one.
    for attempts in 1...sample.u_area_ratio.count / 2 {
        var draws = sample.u_area_ratio.prefix(2 * attempts) + [sample.u_top, sample.u_left]
        var wasShort = false
        let box = erasing.box(height: sample.H, width: sample.W) {
            wasShort = wasShort || draws.isEmpty
            return draws.isEmpty ? 0 : draws.removeFirst()
        }
        let isLast = attempts == sample.u_area_ratio.count / 2
        guard !wasShort, draws.isEmpty || isLast else { continue }
        #expect((box != nil) == sample.erased)
        if let box {
            #expect(
                box
                    == Box(
                        top: sample.top ?? -1, left: sample.left ?? -1, height: sample.height ?? -1,
                        width: sample.width ?? -1))
        }
        return
    }
    Issue.record("no number of attempts uses the draws up")
}

@Test(arguments: SamplingFixture.all().flatMap { $0.cutmix_box ?? [] })
func `CutMix boxes equal the reference`(_ sample: SamplingFixture.CutMix) {
    let mix = CutMixBox(
        share: sample.lam, centre: (sample.center_y, sample.center_x), height: sample.H, width: sample.W)
    #expect(
        mix.box == Box(top: sample.yl, left: sample.xl, height: sample.yh - sample.yl, width: sample.xh - sample.xl))
    #expect(abs(mix.kept - sample.lam_corrected) < 1e-12)
}
