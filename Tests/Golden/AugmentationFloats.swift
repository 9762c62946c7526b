import Batches
import Checkpoints
import Kernels
import Objectives
import Recipes
import Testing

struct ErasingFixture: Decodable, Sendable {
    struct Case: Decodable, Sendable {
        let `case`, top, left, height, width: Int
    }
    let cases: [Case]
}

@Test(arguments: ImageFixture<ErasingFixture>.all(in: "augmentation").filter(\.holdsNoise))
func `erased images equal the reference bit for bit`(_ fixture: ImageFixture<ErasingFixture>) throws {
    for sample in fixture.config.cases {
        let image = try fixture.tensors.tensor("input/image")
        let (height, width) = (image.shape[1], image.shape[2])
        let pixels = Floats(channelsLast(image))
        let box = Box(top: sample.top, left: sample.left, height: sample.height, width: sample.width)
        try erase(box, of: pixels, width: width, noise: fixture.tensors.tensor("input/noise\(sample.case)"))
        let name = "output/case\(sample.case)"
        expectEqual(
            pixels, height: height, width: width, channelsFirst: try fixture.tensors.tensor(name), name)
    }
}

extension ImageFixture<ErasingFixture> {
    /// Boxes of crops have the same keys.
    fileprivate var holdsNoise: Bool { tensors.names.contains { $0.hasPrefix("input/noise") } }
}

/// Overwrites a box with noise, (3, h, w).
func erase(_ box: Box, of pixels: Floats, width: Int, noise: StoredTensor) throws {
    try #require(noise.shape == [3, box.height, box.width])
    let values = noise.floats
    RandomErasing.fill(box, of: pixels, width: width) { row, column, channel in
        values[(channel * box.height + row) * box.width + column]
    }
}

/// (…, 3, H, W) as (…, H, W, 3).
func channelsLast(_ tensor: StoredTensor) -> [Float] {
    let (height, width) = (tensor.shape[tensor.shape.count - 2], tensor.shape[tensor.shape.count - 1])
    let values = tensor.floats, plane = height * width
    return values.indices.map { index in
        let (image, pixel, channel) = (index / (3 * plane), index / 3 % plane, index % 3)
        return values[(image * 3 + channel) * plane + pixel]
    }
}

struct MixFixture: Decodable, Sendable {
    struct Case: Decodable, Sendable {
        let key, kind: String
        /// One, or one for each image or pair.
        let shares: [Double]
        let lam_after: Double?
        let center_y, center_x: Int?
        let box_yl_yh_xl_xh: [Int]?
        let use_cutmix: [Bool]?
        let centers_yx: [[Int]]?

        private enum CodingKeys: String, CodingKey {
            case key, kind, lam, lam_after, center_y, center_x, box_yl_yh_xl_xh, use_cutmix, centers_yx
        }

        init(from decoder: any Decoder) throws {
            let keys = try decoder.container(keyedBy: CodingKeys.self)
            key = try keys.decode(String.self, forKey: .key)
            kind = try keys.decode(String.self, forKey: .kind)
            shares =
                try (try? keys.decode([Double].self, forKey: .lam)) ?? [keys.decode(Double.self, forKey: .lam)]
            lam_after = try keys.decodeIfPresent(Double.self, forKey: .lam_after)
            center_y = try keys.decodeIfPresent(Int.self, forKey: .center_y)
            center_x = try keys.decodeIfPresent(Int.self, forKey: .center_x)
            box_yl_yh_xl_xh = try keys.decodeIfPresent([Int].self, forKey: .box_yl_yh_xl_xh)
            use_cutmix = try keys.decodeIfPresent([Bool].self, forKey: .use_cutmix)
            centers_yx = try keys.decodeIfPresent([[Int]].self, forKey: .centers_yx)
        }

        /// What happens to each image of a batch.
        func mixtures(_ count: Int, height: Int, width: Int) throws -> [Mixture] {
            func paste(_ share: Double, _ centre: [Int]) -> Mixture {
                .paste(CutMixBox(share: share, centre: (centre[0], centre[1]), height: height, width: width))
            }
            switch kind {
            case "mixup": return Array(repeating: .blend(kept: shares[0]), count: count)
            case "cutmix":
                let mixture = paste(shares[0], [try #require(center_y), try #require(center_x)])
                return Array(repeating: mixture, count: count)
            default:
                let cuts = try #require(use_cutmix)
                // A centre was drawn only where a box was.
                var centres = try #require(centers_yx)
                var mixtures = zip(shares, cuts).map { share, isCut -> Mixture in
                    if share == 1 { return .unchanged }
                    return isCut ? paste(share, centres.removeFirst()) : .blend(kept: share)
                }
                if kind == "pair" { mixtures += mixtures.reversed() }
                try #require(mixtures.count == count)
                return mixtures
            }
        }
    }
    let cases: [Case]
    let num_classes: Int
    let label_smoothing: Double
}

@Test(arguments: ImageFixture<MixFixture>.all(in: "augmentation"))
func `mixed images and targets equal the reference`(_ fixture: ImageFixture<MixFixture>) throws {
    let config = fixture.config, classes = config.num_classes
    let stored = try fixture.tensors.tensor("input/images")
    let (count, height, width) = (stored.shape[0], stored.shape[2], stored.shape[3])
    let labels = try fixture.tensors.tensor("input/labels").integers
    for sample in config.cases {
        let images = Floats(channelsLast(stored)), targets = Floats(zeros: count * classes)
        for (place, label) in labels.enumerated() { targets[place * classes + label] = 1 }
        let mixtures = try sample.mixtures(count, height: height, width: width)
        if let box = sample.box_yl_yh_xl_xh, case .paste(let cut) = mixtures[0] {
            #expect(
                cut.box == Box(top: box[0], left: box[2], height: box[1] - box[0], width: box[3] - box[2]),
                "\(sample.key)")
        }
        if let after = sample.lam_after { #expect(abs(mixtures[0].kept - after) < 1e-12, "\(sample.key)") }
        let mode = Mixing.Mode(rawValue: sample.kind) ?? .batch
        let recipe = try classifier(
            images: "mix: {mixup_alpha: 1, cutmix_alpha: 1, mode: \(mode.rawValue), partner: mirror}")
        let mixing = try #require(recipe.trainingTransform.mixing)
        #expect(mixing.mode == mode)
        Mixing.mix(
            Mixing.Rows(values: images, count: 3 * height * width, width: width),
            Mixing.Rows(values: targets, count: classes, width: classes), mixtures,
            mixing.partner.indices(count),
            scratch: Floats(zeros: max(3 * height * width, classes)))
        expectClose(images.array, channelsLast(try fixture.tensors.tensor("output/\(sample.key)")), sample.key)
        // The loss smooths targets; it is linear, so after the mixing is the same as before.
        let smoothing = Float(config.label_smoothing)
        let smoothed = targets.array.map { $0 * (1 - smoothing) + smoothing / Float(classes) }
        expectClose(
            smoothed, try fixture.tensors.tensor("output/\(sample.key)_targets").floats, "\(sample.key) targets")
        if fixture.tensors.contains("output/\(sample.key)_lam") {
            let kept = mixtures.map { Float($0.kept) }
            expectClose(kept, try fixture.tensors.tensor("output/\(sample.key)_lam").floats, "\(sample.key) shares")
        }
    }
}

private func expectClose(_ found: [Float], _ expected: [Float], _ place: String) {
    #expect(found.count == expected.count, "\(place)")
    let worst = zip(found, expected).map { abs($0 - $1) }.max() ?? 0
    // The README's tolerance, absolute: products of values of about 1.
    #expect(worst <= 1e-6, "\(place): off by \(worst)")
}
