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
