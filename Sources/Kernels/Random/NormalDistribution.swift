import Glibc

extension Philox {
    /// Two pairs of normal values by the transform of Box and Muller, in Double; the logarithm's argument is never 0.
    public static func normals(_ words: SIMD4<UInt32>) -> SIMD4<Double> {
        func uniform(_ lane: Int) -> Double { (Double(words[lane]) + 0.5) * 0x1p-32 }
        let first = (-2 * log(uniform(0))).squareRoot(), second = (-2 * log(uniform(2))).squareRoot()
        let (angle, other) = (2 * Double.pi * uniform(1), 2 * Double.pi * uniform(3))
        return SIMD4(first * cos(angle), first * sin(angle), second * cos(other), second * sin(other))
    }
}

extension RandomStream {
    /// Four independent values of the standard normal distribution.
    public mutating func normals() -> SIMD4<Double> { Philox.normals(SIMD4(word(), word(), word(), word())) }

    /// Standard normal.
    public mutating func normal() -> Double { normals().x }

    /// Gamma distributed with scale 1, as its logarithm, which a small shape does not make vanish.
    /// Source: Marsaglia and Tsang, "A simple method for generating gamma variables", 2000.
    public mutating func logGamma(shape: Double) -> Double {
        precondition(shape > 0, "a shape above 0")
        if shape < 1 { return logGamma(shape: shape + 1) + log(1 - uniform()) / shape }
        let d = shape - 1.0 / 3, c = 1 / (9 * d).squareRoot()
        while true {
            let z = normal(), root = 1 + c * z
            guard root > 0 else { continue }
            let v = root * root * root
            if log(1 - uniform()) < 0.5 * z * z + d - d * v + d * log(v) { return log(d * v) }
        }
    }

    /// Beta(α, α), 0...1.
    public mutating func beta(_ shape: Double) -> Double {
        if shape == 1 { return uniform() }
        let first = logGamma(shape: shape), second = logGamma(shape: shape)
        return 1 / (1 + exp(second - first))
    }
}

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

/// The inverse of the standard normal distribution function, relative accuracy about 1e-16.
/// Source: M. J. Wichura, "Algorithm AS 241", Applied Statistics 37, 1988.
public func normalQuantile(_ probability: Double) -> Double {
    let q = probability - 0.5
    if abs(q) <= 0.425 {
        let r = 0.180625 - q * q
        return q * polynomial(centreNumerator, r) / polynomial(centreDenominator, r)
    }
    let r = (-log(min(probability, 1 - probability))).squareRoot()
    let tail =
        r <= 5
        ? polynomial(middleNumerator, r - 1.6) / polynomial(middleDenominator, r - 1.6)
        : polynomial(tailNumerator, r - 5) / polynomial(tailDenominator, r - 5)
    return q < 0 ? -tail : tail
}

/// Highest power first.
private func polynomial(_ coefficients: [Double], _ x: Double) -> Double {
    coefficients.reduce(0) { $0 * x + $1 }
}

private let centreNumerator = [
    2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457, 13731.693765509461125,
    1971.5909503065514427, 133.14166789178437745, 3.387132872796366608,
]
private let centreDenominator = [
    5226.495278852545925, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867, 5394.1960214247511077,
    687.1870074920579083, 42.313330701600911252, 1,
]
private let middleNumerator = [
    7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
    3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734,
]
private let middleDenominator = [
    1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459,
    0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1,
]
private let tailNumerator = [
    2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093,
    0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772,
]
private let tailDenominator = [
    2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4,
    0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1,
]
