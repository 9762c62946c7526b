import Glibc

/// Where values lie along an axis of a chart, and the round values that are written beside it.
struct Axis {
    enum Scale { case linear, logarithmic }

    struct Tick {
        let value: Double
        let label: String
    }

    let scale: Scale
    let low, high: Double
    let ticks: [Tick]

    /// - Parameters:
    ///   - values: the least and the greatest; above 0 on a logarithmic axis.
    ///   - count: about how many ticks.
    ///   - padding: what is left free at both ends, as a share of the range.
    init(_ values: ClosedRange<Double>, _ scale: Scale = .linear, padding: Double = 0, count: Int = 5) {
        self.scale = scale
        switch scale {
        case .linear:
            var (low, high) = (values.lowerBound, values.upperBound)
            if low == high { (low, high) = (low - max(abs(low) / 50, 1e-12), high + max(abs(high) / 50, 1e-12)) }
            let space = (high - low) * padding
            (self.low, self.high) = (low - space, high + space)
            ticks = Self.even(self.low, self.high, count: count)
        case .logarithmic:
            let space = pow(values.upperBound / values.lowerBound, padding)
            (low, high) = (values.lowerBound / space, values.upperBound * space)
            ticks = Self.decades(low, high, count: count)
        }
    }

    /// 0 at the low end, 1 at the high end.
    func position(_ value: Double) -> Double {
        switch scale {
        case .linear: (value - low) / (high - low)
        case .logarithmic: log(value / low) / log(high / low)
        }
    }

    /// Multiples of 1, 2 or 5 times a power of ten.
    private static func even(_ low: Double, _ high: Double, count: Int) -> [Tick] {
        let rough = (high - low) / Double(count)
        guard rough.isNormal else { return [] }
        let power = pow(10, floor(log10(rough)))
        let step = ([1, 2, 5].map { $0 * power }.first { $0 >= 0.7 * rough }) ?? 10 * power
        let digits = max(0, -Int(floor(log10(step * 1.001))))
        let hasExponent = step < 1e-4 || max(abs(low), abs(high)) >= 1e6
        let (first, last) = ((low / step).rounded(.up), (high / step).rounded(.down))
        guard max(abs(first), abs(last)) < 1e15, last >= first, last - first < 100 else { return [] }
        return (Int(first)...Int(last)).map { number in
            let value = Double(number) * step
            return Tick(value: value, label: shortText(value, digits: digits, hasExponent: hasExponent))
        }
    }

    /// Powers of ten, with 2 and 5 times them where there are few.
    private static func decades(_ low: Double, _ high: Double, count: Int) -> [Tick] {
        let (first, last) = (Int(floor(log10(low))), Int(ceil(log10(high))))
        let span = log10(high / low)
        let factors: [Double] = span < 2.5 ? [1, 2, 5] : [1]
        let hasExponent = low < 1e-4 || high >= 1e6
        let every = max(1, Int((span / Double(count + 1)).rounded(.up)))
        return (first...last).filter { $0 % every == 0 }.flatMap { exponent in
            factors.map { $0 * pow(10, Double(exponent)) }.filter { $0 >= low && $0 <= high }
                .map { Tick(value: $0, label: shortText($0, digits: max(0, -exponent), hasExponent: hasExponent)) }
        }
    }
}
