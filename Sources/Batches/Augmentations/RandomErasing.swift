import Glibc
public import Kernels
public import Recipes

/// Boxes of a normalised image are overwritten. Source: arXiv 1708.04896; timm 0.4.12 and torchvision, `RandomErasing`.
/// The aspect is height over width, other than that of a random resized crop.
public struct RandomErasing: ImageAugmentation, Sendable, Equatable {
    public static let key = "images.random_erasing"
    public static let meaning = "Random boxes overwritten in the normalised image; absent: none."

    public struct Settings: RecipeSection {
        public let probability: Double
        public let scale, ratio: [Double]
        public let mode: Fill
        public let maxCount: Int

        public static let defaults = [
            "scale": "[0.02, 0.3333333333333333]", "ratio": "[0.3, 3.3333333333333335]", "max_count": "1",
        ]
        public static let meanings = [
            "probability": "Share of the images with a box erased, 0 to 1.",
            "scale": "Smallest and largest share of the image's area, above 0 to 1; torchvision: 0.02 to 0.33.",
            "ratio": "Smallest and largest height over width; torchvision: 0.3 to 3.3.",
            "mode": "pixel: normal noise; rand: one normal value a channel; const: zero.",
            "max_count": "Most boxes of an image; they share the area.",
        ]

        public func check(_ here: Here) {
            here.requireProbability(["probability": probability])
            here.requirePositive(["max_count": maxCount])
            here.requireRange(scale, at: "scale", upTo: 1)
            here.requireRange(ratio, at: "ratio")
        }
    }

    public static func join(_ transform: inout ImageTransform, _ settings: Settings, _ recipe: Recipe) {
        transform.erasing = RandomErasing(
            probability: settings.probability, area: settings.scale[0]...settings.scale[1],
            aspect: settings.ratio[0]...settings.ratio[1], fill: settings.mode,
            maximumCount: settings.maxCount)
    }

    public enum Fill: String, CaseIterable, Decodable, Sendable {
        /// Standard normal noise, independent for each pixel and channel.
        case pixel
        /// One standard normal value for each channel.
        case channel = "rand"
        case zero = "const"
    }

    /// Probability that an image is erased at all, 0...1.
    public let probability: Double
    /// Shares of the image's area.
    public let area: ClosedRange<Double>
    /// Height over width, uniform in the logarithm.
    public let aspect: ClosedRange<Double>
    public let fill: Fill
    /// Most boxes of an image; their number is uniform from 1 on and they share the area.
    public let maximumCount: Int

    public init(
        probability: Double, area: ClosedRange<Double>, aspect: ClosedRange<Double>, fill: Fill, maximumCount: Int = 1
    ) {
        precondition((0...1).contains(probability) && area.lowerBound >= 0 && aspect.lowerBound > 0, "erasing ranges")
        precondition(maximumCount >= 1, "at least one box")
        self.probability = probability
        self.area = area
        self.aspect = aspect
        self.fill = fill
        self.maximumCount = maximumCount
    }

    /// Overwrites boxes of a normalised image, (H, W, 3).
    public func apply(_ pixels: Floats, height: Int, width: Int, _ random: inout RandomStream) {
        guard random.uniform() <= probability else { return }
        let count = maximumCount == 1 ? 1 : 1 + random.below(maximumCount)
        for _ in 0..<count {
            guard let box = box(height: height, width: width, count: count, draw: { random.uniform() }) else {
                continue
            }
            switch fill {
            case .zero: Self.fill(box, of: pixels, width: width) { _, _, _ in 0 }
            case .channel:
                let colors = random.normals()
                Self.fill(box, of: pixels, width: width) { _, _, channel in Float(colors[channel]) }
            case .pixel:
                var (four, used) = (SIMD4<Double>.zero, 4)
                Self.fill(box, of: pixels, width: width) { _, _, _ in
                    if used == 4 { (four, used) = (random.normals(), 0) }
                    used += 1
                    return Float(four[used - 1])
                }
            }
        }
    }

    /// Nil where no box fits in ten attempts.
    /// - Parameters:
    ///   - count: boxes that share the area.
    ///   - draw: uniform in 0..<1; asked for area and ratio (each attempt), then top and left.
    public func box(height: Int, width: Int, count: Int = 1, draw: () -> Double) -> Box? {
        func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * draw() }
        for _ in 0..<10 {
            let pixels = uniform(area.lowerBound, area.upperBound) * Double(height * width) / Double(count)
            let ratio = exp(uniform(log(aspect.lowerBound), log(aspect.upperBound)))
            let h = Int((pixels * ratio).squareRoot().rounded(.toNearestOrEven))
            let w = Int((pixels / ratio).squareRoot().rounded(.toNearestOrEven))
            guard w < width, h < height else { continue }
            let top = Int(draw() * Double(height - h + 1)), left = Int(draw() * Double(width - w + 1))
            return Box(top: top, left: left, height: h, width: w)
        }
        return nil
    }

    /// Overwrites a box of an image, (H, W, 3).
    /// - Parameter value: of (row, column, channel) in the box, asked in the order of memory.
    public static func fill(_ box: Box, of pixels: Floats, width: Int, with value: (Int, Int, Int) -> Float) {
        for row in 0..<box.height {
            let start = ((box.top + row) * width + box.left) * 3, line = pixels[start..<start + box.width * 3]
            for column in 0..<box.width {
                for channel in 0..<3 { line[column * 3 + channel] = value(row, column, channel) }
            }
        }
    }
}
