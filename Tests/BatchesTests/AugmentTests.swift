import Batches
import Kernels
import Testing

@Suite struct `augmentation` {
    private let key = SampleKey(seed: 7, epoch: 3, sample: 11)

    private func ramp(height: Int, width: Int) -> Image {
        Image(height: height, width: width, bytes: Bytes((0..<height * width * 3).map { UInt8($0 % 251) }))
    }

    /// The fallback by hand: a column one pixel wide keeps its width; its height is round(1 / (3/4)) = 1.
    @Test(arguments: [
        (500, 1, Box(top: 249, left: 0, height: 1, width: 1)), (1, 500, Box(top: 0, left: 249, height: 1, width: 1)),
        (3_000, 6, Box(top: 1_496, left: 0, height: 8, width: 6)),
        (6, 3_000, Box(top: 0, left: 1_496, height: 6, width: 8)),
    ])
    func `an image of extreme aspect falls back to its middle`(_ height: Int, _ width: Int, _ box: Box) {
        let crop = RandomResizedCrop(size: 16, area: 0.9...1, .bicubic)
        var image = ramp(height: height, width: width)
        var random = key.stream(.crop)
        #expect(crop.box(height: height, width: width) { random.uniform() } == box)
        crop.apply(&image, &random)
        #expect(image.height == 16 && image.width == 16)
    }

    @Test func `crop boxes lie inside the image with the asked area and aspect`() {
        let crop = RandomResizedCrop(size: 8, area: 0.2...0.6, .bilinear)
        for sample in 0..<500 {
            var random = SampleKey(seed: 1, epoch: 0, sample: UInt64(sample)).stream(.crop)
            let box = crop.box(height: 300, width: 400) { random.uniform() }
            #expect(box.top >= 0 && box.left >= 0 && box.top + box.height <= 300 && box.left + box.width <= 400)
            // Rounding of each side moves area and aspect by less than one percent here.
            #expect((0.198...0.606).contains(Double(box.height * box.width) / 120_000))
            #expect((0.74...1.345).contains(Double(box.width) / Double(box.height)))
        }
    }

    @Test(arguments: [4, 5]) func `mirroring swaps columns and twice is nothing`(_ width: Int) {
        var image = ramp(height: 2, width: width)
        let before = image.bytes.array
        image.mirror()
        #expect(image.bytes[0..<3].array == Array(before[(width - 1) * 3..<width * 3]))
        image.mirror()
        #expect(image.bytes.array == before)
    }

    @Test func `half of the images are mirrored`() {
        var mirrored = 0
        for sample in 0..<1_000 {
            var image = ramp(height: 1, width: 2)
            var random = SampleKey(seed: 5, epoch: 0, sample: UInt64(sample)).stream(.flip)
            HorizontalFlip().apply(&image, &random)
            if image.bytes[0] == 3 { mirrored += 1 }
        }
        // Four deviations of a fair coin.
        #expect((437...563).contains(mirrored))
    }

    @Test func `a sample looks the same whenever it is drawn`() {
        let transform = ImageTransform(
            [RandomResizedCrop(size: 12, area: 0.2...1, .bicubic), HorizontalFlip()], .imageNet)
        let first = Floats(zeros: 12 * 12 * 3), again = Floats(zeros: 12 * 12 * 3)
        var image = ramp(height: 40, width: 50)
        transform.augment(&image, key)
        transform.write(image, key, into: first)
        image = ramp(height: 9, width: 9)
        transform.augment(&image, SampleKey(seed: 7, epoch: 3, sample: 12))
        image = ramp(height: 40, width: 50)
        transform.augment(&image, key)
        transform.write(image, key, into: again)
        #expect(first.array == again.array)
    }

    @Test func `a step more does not change the draws of the others`() {
        let crop = RandomResizedCrop(size: 12, area: 0.2...1, .bicubic)
        var image = ramp(height: 40, width: 50), other = ramp(height: 40, width: 50)
        ImageTransform([crop], .imageNet).augment(&image, key)
        ImageTransform([HorizontalFlip(probability: 0), crop], .imageNet).augment(&other, key)
        #expect(image.bytes.array == other.bytes.array)
    }

    @Test func `a centre crop surrounds a small image with zeros`() {
        var image = Image(height: 1, width: 2, bytes: Bytes([1, 1, 1, 2, 2, 2]))
        var random = key.stream(.crop)
        CentreCrop(size: 5).apply(&image, &random)
        var expected = [UInt8](repeating: 0, count: 75)
        // Top and left are (5 - 1) / 2 = 2 and (5 - 2) / 2 = 1 by floor.
        expected.replaceSubrange((2 * 5 + 1) * 3..<(2 * 5 + 3) * 3, with: [1, 1, 1, 2, 2, 2])
        #expect(image.bytes.array == expected)
    }

    @Test func `halves of a centre crop go to the even offset`() {
        #expect(CentreCrop(size: 10).offset(43) == 16)
        #expect(CentreCrop(size: 10).offset(45) == 18)
    }

    @Test func `a padded crop moves the image by at most the padding`() {
        var results: Set<[UInt8]> = []
        for sample in 0..<2_000 {
            var image = Image(height: 4, width: 4, bytes: Bytes((1...48).map { UInt8($0) }))
            var random = SampleKey(seed: 2, epoch: 0, sample: UInt64(sample)).stream(.crop)
            RandomCrop(size: 4, padding: 2).apply(&image, &random)
            #expect(image.height == 4 && image.width == 4)
            #expect(image.bytes.array.count { $0 != 0 } >= 12)
            results.insert(image.bytes.array)
        }
        // Every one of the 5 × 5 offsets, and nothing else.
        #expect(results.count == 25)
    }

    @Test func `normalised values are those of Float arithmetic`() {
        let floats = Floats(zeros: 3)
        Normalisation.imageNet.apply(Image(height: 1, width: 1, bytes: Bytes([0, 128, 255])), into: floats)
        #expect(floats[0] == (0 - Float(0.485)) / Float(0.229))
        #expect(floats[1] == (Float(128) / 255 - Float(0.456)) / Float(0.224))
        #expect(floats[2] == (1 - Float(0.406)) / Float(0.225))
    }
}
