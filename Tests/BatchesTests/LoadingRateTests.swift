import Batches
import CTestJPEG
import Kernels
import Testing

/// Rates of the pipelines on JPEG files like those of ImageNet, printed: `swift test -c release --filter LoadingRate`.
@Suite struct LoadingRateTests {
    private let folder = TemporaryFolder()
    private let source: ImageFolder

    init() throws {
        for file in 0..<12 {
            let jpeg = JPEGFile(Self.photograph(file, height: 375, width: 500), height: 375, width: 500) {
                ($0.horizontal, $0.vertical) = (2, 2)
            }
            folder.write("a/\(file).jpg", jpeg.bytes)
        }
        source = try ImageFolder(folder.path, manifest: Manifest.build(folder.path))
    }

    /// Detail at every scale, its contrast falling with its size as in photographs; about 100 kB at quality 90.
    private static func photograph(_ number: Int, height: Int, width: Int) -> [UInt8] {
        var values = [Double](repeating: 110, count: height * width * 3)
        var random = RandomStream(seed: 3, purpose: .procedural, sample: UInt64(number))
        for (cell, contrast) in [
            (256, 60.0), (128, 60), (64, 50), (32, 40), (16, 30), (8, 24), (4, 20), (2, 24), (1, 56),
        ] {
            let columns = width / cell + 2, rows = height / cell + 2
            // Mostly grey, a little colour.
            let grid = (0..<rows * columns).map { _ in
                let light = random.uniform() - 0.5
                return SIMD3(repeating: light) + 0.3 * SIMD3(random.uniform(), random.uniform(), random.uniform())
            }
            for y in 0..<height {
                for x in 0..<width {
                    let (i, j) = (y / cell, x / cell)
                    let (v, u) = (Double(y % cell) / Double(cell), Double(x % cell) / Double(cell))
                    let above = grid[i * columns + j] * (1 - u) + grid[i * columns + j + 1] * u
                    let below = grid[(i + 1) * columns + j] * (1 - u) + grid[(i + 1) * columns + j + 1] * u
                    let value = (above * (1 - v) + below * v) * contrast
                    for channel in 0..<3 { values[(y * width + x) * 3 + channel] += value[channel] }
                }
            }
        }
        return values.map { UInt8(min(max($0, 0), 255)) }
    }

    private func settings(_ side: Int, _ transform: ImageTransform) -> Loader.Settings {
        Loader.Settings(seed: 1, transform: transform, height: side, width: side)
    }

    @Test func `rates of reading and augmenting are printed`() throws {
        let bytes = (0..<source.count).reduce(0) { $0 + source.manifest.sizeBytes($1) } / source.count
        let policy = RandAugment(
            .init("rand-m9-mstd0.5-inc1"), WarpStyle([.bicubic], fill: SIMD3(124, 116, 104)))
        let fineTuning = ImageTransform(
            [RandomResizedCrop(size: 224, area: 0.08...1, .bicubic), HorizontalFlip(), policy], .imageNet,
            erasing: RandomErasing(
                probability: 0.25, area: 0.02...1.0 / 3, aspect: 0.3...1 / 0.3, fill: .pixel))
        var preTraining = settings(
            192, ImageTransform([RandomResizedCrop(size: 192, area: 0.67...1, .bilinear), HorizontalFlip()], .imageNet))
        preTraining.masking = CellMasking(imageSide: 192, cellSide: 32, patchSide: 4, ratio: 0.6)
        print("500 × 375 JPEG files of \(bytes) bytes, one core:")
        for (name, settings) in [
            ("SimMIM pre-training", preTraining), ("SimMIM fine-tuning", self.settings(224, fineTuning)),
        ] {
            let rate = try source.loadingRate(settings, images: 240)
            let milliseconds = [rate.readSeconds, rate.transformSeconds].map { 1e3 * $0 / Double(rate.images) }
            print(
                "  \(name): \(rate.imagesPerSecond) images/s; decode \(milliseconds[0]) ms, rest \(milliseconds[1]) ms")
            #expect(rate.images == 240 && rate.imagesPerSecond > 0)
        }
    }
}
