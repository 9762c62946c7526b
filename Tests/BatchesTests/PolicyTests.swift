import Batches
import Kernels
import Recipes
import Testing

@Suite struct PolicyTests {
    private static let style = WarpStyle([.bilinear, .bicubic], fill: SIMD3(124, 116, 104))
    private static let steps: [any Augmentation] = [
        RandAugment(.init("rand-m9-mstd0.5-inc1"), style), RandAugment(.init("rand"), style), TrivialAugment(style),
        TorchvisionRandAugment(operations: 2, bin: 14, style), AutoAugment(style), ThreeAugment(),
        ColorJitter(strength: 0.4),
    ]

    private func ramp(height: Int, width: Int) -> Image {
        Image(height: height, width: width, bytes: Bytes((0..<height * width * 3).map { UInt8($0 * 7 % 251) }))
    }

    private func changed(_ step: any Augmentation, sample: UInt64, height: Int = 24, width: Int = 30) -> [UInt8] {
        var image = ramp(height: height, width: width)
        ImageTransform([step], .imageNet).augment(&image, SampleKey(seed: 3, epoch: 1, sample: sample))
        #expect(image.height == height && image.width == width)
        return image.bytes.array
    }

    @Test(arguments: steps.indices) func `a step draws from its key alone and changes many images`(_ number: Int) {
        let step = Self.steps[number], plain = ramp(height: 24, width: 30).bytes.array
        let images = (0..<60).map { changed(step, sample: $0) }
        #expect(images == (0..<60).map { changed(step, sample: $0) })
        #expect(images.count { $0 != plain } > 20)
        #expect(Set(images).count > 20)
    }

    @Test(arguments: steps.indices) func `an image of one pixel survives every step`(_ number: Int) {
        for sample in 0..<60 {
            #expect(changed(Self.steps[number], sample: UInt64(sample), height: 1, width: 1).count == 3)
        }
    }

    /// Two operations, each left out half of the time; of the others AutoContrast hardly changes this image.
    @Test func `RandAugment leaves about a quarter of the images alone`() {
        let plain = ramp(height: 24, width: 30).bytes.array
        let same = (0..<400).count { changed(Self.steps[0], sample: UInt64($0)) == plain }
        #expect((70...150).contains(same))
    }

    @Test func `AutoAugment has 25 pairs`() { #expect(AutoAugment.pairs.count == 25) }

    @Test func `a reflected border repeats no edge`() {
        var image = Image(height: 1, width: 3, bytes: Bytes([1, 1, 1, 2, 2, 2, 3, 3, 3]))
        image.window(top: -1, left: -4, height: 2, width: 10, border: .reflect)
        let row: [UInt8] = [1, 2, 3, 2, 1, 2, 3, 2, 1, 2]
        #expect(image.bytes.array == (row + row).flatMap { [$0, $0, $0] })
    }

    @Test func `a crop leaves an image alone that is too small`() {
        var image = ramp(height: 3, width: 9)
        var random = RandomStream(seed: 1, purpose: .crop)
        RandomCrop(size: 8, padding: 2).apply(&image, &random)
        #expect(image.height == 3 && image.width == 9)
    }

    @Test func `a quarter turn is exact and four of them are nothing`() {
        var image = ramp(height: 7, width: 7)
        let before = image.bytes.array
        image.apply(.rotate(degrees: 90))
        // Counter-clockwise: what was right is now above.
        #expect(image.bytes[0..<3].array == Array(before[18..<21]))
        image.apply(.rotate(degrees: -450))
        #expect(image.bytes.array == before)
        image.apply(.rotate(degrees: 180))
        image.apply(.rotate(degrees: -180))
        #expect(image.bytes.array == before)
    }
}

@Suite struct `timm's text for RandAugment` {
    @Test func `it is read part by part`() {
        let text = RandAugment.Config("rand-m9-mstd0.5-inc1")
        #expect(text.problem == nil && text.magnitude == 9 && text.std == 0.5 && text.increasing)
        #expect(text.operations == 2 && text.probability == 0.5 && text.limit == 10)
        let long = RandAugment.Config("rand-n3-m7-mstd101-p0.7-mmax20")
        #expect(long.problem == nil && long.operations == 3 && long.std == .infinity && !long.increasing)
        #expect(long.probability == 0.7 && long.limit == 20)
    }

    @Test(arguments: [
        "", "randm9", "rand-", "rand-x3", "rand-m", "rand-m9.5", "rand-inc0", "rand-w0", "rand-p2", "rand-mstd-1",
    ])
    func `a text that names no policy is refused`(_ text: String) { #expect(RandAugment.Config(text).problem != nil) }
}

@Suite struct ErasingTests {
    private func timm(_ probability: Double, _ fill: RandomErasing.Fill, maximumCount: Int = 1) -> RandomErasing {
        RandomErasing(
            probability: probability, area: 0.02...1.0 / 3, aspect: 0.3...1 / 0.3, fill: fill,
            maximumCount: maximumCount)
    }

    private func erased(_ erasing: RandomErasing, sample: UInt64, side: Int = 20) -> [Float] {
        let pixels = Floats([Float](repeating: 9, count: side * side * 3))
        var random = SampleKey(seed: 1, epoch: 0, sample: sample).stream(.erase)
        erasing.apply(pixels, height: side, width: side, &random)
        return pixels.array
    }

    @Test func `a quarter of the images has a box of allowed area`() {
        var touched = 0
        for sample in 0..<800 {
            let count = erased(timm(0.25, .zero), sample: UInt64(sample)).count { $0 == 0 } / 3
            if count > 0 { touched += 1 }
            // Of 400 pixels; rounding of the sides moves small areas most.
            #expect(count == 0 || (5...160).contains(count))
        }
        // Four deviations of 800 draws.
        #expect((150...250).contains(touched))
    }

    @Test func `noise is normal for each pixel, or one value for each channel`() {
        var noise: [Double] = []
        for sample in 0..<40 {
            noise += erased(timm(1, .pixel), sample: UInt64(sample)).filter { $0 != 9 }.map { Double($0) }
            let colors = erased(timm(1, .channel), sample: UInt64(sample))
            for channel in 0..<3 {
                let values = Set(stride(from: channel, to: colors.count, by: 3).map { colors[$0] })
                #expect(values.subtracting([9]).count == 1)
            }
        }
        let mean = noise.reduce(0, +) / Double(noise.count)
        let variance = noise.reduce(0) { $0 + $1 * $1 } / Double(noise.count)
        // Several thousand values.
        #expect(noise.count > 3000 && abs(mean) < 0.06 && abs(variance - 1) < 0.08)
    }

    @Test func `several boxes share the area`() {
        let erasing = timm(1, .zero, maximumCount: 4)
        let counts = (0..<200).map { erased(erasing, sample: UInt64($0)).count { $0 == 0 } / 3 }
        #expect(counts.allSatisfy { (2...170).contains($0) })
    }
}
