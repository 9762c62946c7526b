import Glibc
public import Kernels
public import Recipes

/// A random part of the image, resized to a square. Source: torchvision and timm, RandomResizedCrop.
public struct RandomResizedCrop: Augmentation, ImageAugmentation {
    public static let key = "images.random_resized_crop"
    public static let meaning = "A random part, resized; absent: random_crop, or the whole image is resized."

    public struct Settings: RecipeSection {
        public let scale, ratio: [Double]
        public let interpolation: Resizing.Filter

        public static let meanings = [
            "scale": "Smallest and largest share of the image's area, above 0 to 1.",
            "ratio": "Smallest and largest width over height.",
            "interpolation": "Filter of the resize.",
        ]

        public func check(_ here: Here) {
            here.requireRange(scale, at: "scale", upTo: 1)
            here.requireRange(ratio, at: "ratio")
        }
    }

    public static func join(_ transform: inout ImageTransform, _ settings: Settings, _ recipe: Recipe) {
        transform.steps.append(
            RandomResizedCrop(
                size: recipe.images.size, area: settings.scale[0]...settings.scale[1],
                aspect: settings.ratio[0]...settings.ratio[1], settings.interpolation.interpolation))
    }

    public static func resizing(_ settings: Settings) -> Interpolation? { settings.interpolation.interpolation }

    /// Side of the result in pixels.
    public let size: Int
    /// Share of the image's area, drawn uniformly.
    public let area: ClosedRange<Double>
    /// Width / height of the part, drawn uniformly in the logarithm.
    public let aspect: ClosedRange<Double>
    public let interpolation: Interpolation

    public init(
        size: Int, area: ClosedRange<Double>, aspect: ClosedRange<Double> = 3.0 / 4.0...4.0 / 3.0,
        _ interpolation: Interpolation
    ) {
        precondition(size > 0 && area.lowerBound > 0 && aspect.lowerBound > 0, "size, area and aspect are positive")
        self.size = size
        self.area = area
        self.aspect = aspect
        self.interpolation = interpolation
    }

    public var purpose: Purpose? { .crop }

    public func apply(_ image: inout Image, _ random: inout RandomStream) {
        let box = box(height: image.height, width: image.width) { random.uniform() }
        image.resize(box, height: size, width: size, interpolation)
    }

    /// Ten attempts, then the largest part in the middle with an allowed aspect.
    /// - Parameter draw: uniform in 0..<1; asked for area, ratio (each attempt), then top and left.
    public func box(height: Int, width: Int, draw: () -> Double) -> Box {
        func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * draw() }
        let low = aspect.lowerBound, high = aspect.upperBound
        for _ in 0..<10 {
            let pixels = uniform(area.lowerBound, area.upperBound) * Double(height * width)
            let ratio = exp(uniform(log(low), log(high)))
            let w = Int((pixels * ratio).squareRoot().rounded(.toNearestOrEven))
            let h = Int((pixels / ratio).squareRoot().rounded(.toNearestOrEven))
            guard w > 0, h > 0, w <= width, h <= height else { continue }
            let top = Int(draw() * Double(height - h + 1)), left = Int(draw() * Double(width - w + 1))
            return Box(top: top, left: left, height: h, width: w)
        }
        var (h, w) = (height, width)
        let ratio = Double(width) / Double(height)
        if ratio < low { h = Int((Double(width) / low).rounded(.toNearestOrEven)) }
        if ratio > high { w = Int((Double(height) * high).rounded(.toNearestOrEven)) }
        return Box(top: (height - h) / 2, left: (width - w) / 2, height: h, width: w)
    }
}
