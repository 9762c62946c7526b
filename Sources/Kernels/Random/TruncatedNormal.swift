import Glibc

/// A normal distribution inside a range, by its inverse distribution function.
public struct TruncatedNormal: Sendable, Equatable {
    /// Mean and standard deviation of the whole distribution, before it is cut.
    public let centre, deviation: Double
    public let range: ClosedRange<Double>

    public init(centre: Double, deviation: Double, range: ClosedRange<Double>) {
        precondition(deviation > 0 && range.lowerBound < range.upperBound, "a law with an extent")
        (self.centre, self.deviation, self.range) = (centre, deviation, range)
    }

    /// - Parameter quantile: 0...1.
    public func value(at quantile: Double) -> Double {
        let (low, high) = (share(below: range.lowerBound), share(below: range.upperBound))
        let value = centre + deviation * normalQuantile(low + quantile * (high - low))
        return min(max(value, range.lowerBound), range.upperBound)
    }

    public var mean: Double {
        let (a, b) = ((range.lowerBound - centre) / deviation, (range.upperBound - centre) / deviation)
        func density(_ x: Double) -> Double { exp(-x * x / 2) / (2 * Double.pi).squareRoot() }
        return centre + deviation * (density(a) - density(b))
            / (share(below: range.upperBound) - share(below: range.lowerBound))
    }

    /// The cumulative distribution before it is cut.
    private func share(below value: Double) -> Double { 0.5 * erfc((centre - value) / deviation / 2.0.squareRoot()) }
}
