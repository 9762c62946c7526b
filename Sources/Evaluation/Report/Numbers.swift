import Glibc
import Training

// Numbers as people read them.

/// `1,234,567`
func countText(_ count: Int) -> String {
    let digits = Array(String(count.magnitude))
    var text = ""
    for (index, digit) in digits.enumerated() {
        if index > 0, (digits.count - index) % 3 == 0 { text += "," }
        text.append(digit)
    }
    return (count < 0 ? "-" : "") + text
}

/// `digits` significant digits; very large and very small numbers with an exponent: `0.04312`, `406.4`, `2.500e-7`.
func valueText(_ value: Double, digits: Int = 4) -> String {
    guard value.isFinite else { return value.isNaN ? "not a number" : value > 0 ? "infinite" : "-infinite" }
    guard value != 0 else { return "0" }
    let exponent = decimalExponent(value)
    if exponent < -4 || exponent >= 7 {
        return fixed(value / pow(10, Double(exponent)), digits: digits - 1) + "e\(exponent)"
    }
    return fixed(value, digits: max(0, digits - 1 - exponent))
}

/// At most `digits` decimals, none that is a last zero: `2`, `0.25`; with an exponent `2e-5`, `1.25e6`.
func shortText(_ value: Double, digits: Int, hasExponent: Bool = false) -> String {
    guard value != 0 else { return "0" }
    if hasExponent {
        let exponent = decimalExponent(value)
        return trimmed(fixed(value / pow(10, Double(exponent)), digits: 3)) + "e\(exponent)"
    }
    return abs(value) >= 1000 && digits == 0 ? countText(Int(value.rounded())) : trimmed(fixed(value, digits: digits))
}

/// `45 s`, `1:05`, `2:13:05`
func durationText(_ seconds: Double) -> String { clock(seconds) + (seconds < 59.5 ? " s" : "") }

/// A share, 0...1, in percent.
func percentText(_ share: Double) -> String { fixed(100 * share, digits: 1) + " %" }

/// Power of ten of the first digit: 0 for 1 to 9.99, -1 for 0.1.
private func decimalExponent(_ value: Double) -> Int {
    let exponent = Int(floor(log10(abs(value))))
    // The logarithm of 1000 may fall short of 3.
    return abs(value) / pow(10, Double(exponent)) >= 9.9999999 ? exponent + 1 : exponent
}

private func trimmed(_ text: String) -> String {
    guard text.contains(".") else { return text }
    var text = text
    while text.last == "0" { text.removeLast() }
    if text.last == "." { text.removeLast() }
    return text
}
