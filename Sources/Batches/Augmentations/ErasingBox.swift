import Glibc

/// Where random erasing cuts: a box of random area and aspect that lies inside the picture.
/// Source: timm 0.4.12, `RandomErasing`. The aspect is height over width, other than that of a random resized crop.
public struct ErasingBox: Sendable, Equatable {
    public let probability: Double
    /// Shares of the picture's area.
    public let area: ClosedRange<Double>
    /// Height over width, uniform in the logarithm.
    public let aspect: ClosedRange<Double>

    public init(
        probability: Double, area: ClosedRange<Double> = 0.02...1.0 / 3.0,
        aspect: ClosedRange<Double> = 0.3...1 / 0.3
    ) {
        self.probability = probability
        self.area = area
        self.aspect = aspect
    }

    /// Nil where nothing is erased: not drawn, or no box fits in ten attempts.
    /// - Parameters:
    ///   - count: boxes that share the area.
    ///   - draw: uniform in 0..<1; asked whether at all, then for area and ratio (each attempt), then top and left.
    public func box(height: Int, width: Int, count: Int = 1, draw: () -> Double) -> Box? {
        guard draw() <= probability else { return nil }
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
}
