import Glibc

/// A normal distribution inside a range, by its inverse distribution function.
public struct TruncatedNormal: Sendable, Equatable {
    /// Mean and standard deviation of the whole distribution, before it is cut.
    public let mu, std: Double
    public let range: ClosedRange<Double>

    public init(mu: Double, std: Double, range: ClosedRange<Double>) {
        precondition(std > 0 && range.lowerBound < range.upperBound, "a distribution with an extent")
        (self.mu, self.std, self.range) = (mu, std, range)
    }

    /// - Parameter quantile: 0...1.
    public func value(at quantile: Double) -> Double {
        let (low, high) = (share(below: range.lowerBound), share(below: range.upperBound))
        let value = mu + std * normalQuantile(low + quantile * (high - low))
        return min(max(value, range.lowerBound), range.upperBound)
    }

    public var mean: Double {
        let (a, b) = ((range.lowerBound - mu) / std, (range.upperBound - mu) / std)
        func density(_ x: Double) -> Double { exp(-x * x / 2) / (2 * Double.pi).squareRoot() }
        return mu + std * (density(a) - density(b))
            / (share(below: range.upperBound) - share(below: range.lowerBound))
    }

    /// The cumulative distribution before it is cut.
    private func share(below value: Double) -> Double { 0.5 * erfc((mu - value) / std / 2.0.squareRoot()) }
}
