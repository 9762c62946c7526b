import Glibc

/// The line that tells a waiting person how far a run is. Where it goes, and whether it overwrites the last one, is the
/// caller's choice.
public struct Progress: Sendable {
    public let step, total, epoch: Int
    public let loss, rate, imagesPerSecond: Double
    /// Nil before the first interval has been timed.
    public let secondsLeft: Double?

    /// - Parameter secondsPerStep: over the last interval; nil before it.
    public init(
        step: Int, total: Int, epoch: Int, loss: Double, rate: Double, imagesPerSecond: Double, secondsPerStep: Double?
    ) {
        self.step = step
        self.total = total
        self.epoch = epoch
        self.loss = loss
        self.rate = rate
        self.imagesPerSecond = imagesPerSecond
        secondsLeft = secondsPerStep.map { $0 * Double(max(total - step, 0)) }
    }

    /// `step 1200/50000  epoch 3  loss 0.4312  lr 1.00e-04  412 images/s  ETA 2:13:05`
    public var line: String {
        let speed = imagesPerSecond < 100 ? fixed(imagesPerSecond, digits: 1) : fixed(imagesPerSecond, digits: 0)
        let parts = [
            "step \(step)/\(total)", "epoch \(epoch)", "loss \(fixed(loss, digits: 4))", "lr \(scientific(rate))",
            "\(speed) images/s", "ETA \(secondsLeft.map(clock) ?? "-")",
        ]
        return parts.joined(separator: "  ")
    }
}

/// `value` with `digits` decimals, rounded half away from zero.
package func fixed(_ value: Double, digits: Int) -> String {
    let scale = pow(10, Double(digits))
    guard value.isFinite, abs(value) * scale < 1e15 else { return "\(value)" }
    let all = Int((abs(value) * scale).rounded())
    let sign = value < 0 && all > 0 ? "-" : ""
    guard digits > 0 else { return sign + String(all) }
    let fraction = String(all % Int(scale))
    return "\(sign)\(all / Int(scale))." + String(repeating: "0", count: digits - fraction.count) + fraction
}

/// Two decimals and an exponent of two digits: 1.00e-04.
func scientific(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
    var exponent = Int(floor(log10(abs(value))))
    if (abs(value) / pow(10, Double(exponent)) * 100).rounded() >= 1000 { exponent += 1 }
    let digits = String(abs(exponent))
    let sign = exponent < 0 ? "-" : "+"
    return fixed(value / pow(10, Double(exponent)), digits: 2) + "e" + sign + (digits.count < 2 ? "0" : "") + digits
}

/// Hours, minutes and seconds, with days from 24 hours on: `45`, `1:05`, `2:13:05`, `3d 02:10:00`.
package func clock(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e12 else { return "-" }
    let all = Int(max(seconds, 0).rounded())
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let (days, hours, minutes, rest) = (all / 86_400, all / 3600 % 24, all / 60 % 60, all % 60)
    if days > 0 { return "\(days)d \(two(hours)):\(two(minutes)):\(two(rest))" }
    if hours > 0 { return "\(hours):\(two(minutes)):\(two(rest))" }
    return minutes > 0 ? "\(minutes):\(two(rest))" : "\(rest)"
}

/// `512 B`, `3.4 KiB`, `12.0 MiB`, `1.5 GiB`.
package func sizeText(_ bytes: Int) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"]
    var (value, unit) = (Double(bytes), "B")
    for next in units where value >= 1024 {
        value /= 1024
        unit = next
    }
    return unit == "B" ? "\(bytes) B" : fixed(value, digits: 1) + " " + unit
}

/// Who tells people what goes on: a terminal, a log file, a test.
public protocol RunSpeaker {
    /// Only rank 0 is heard.
    func say(_ line: String)
    func warn(_ line: String)
    /// A failure that only one rank knows of.
    func warnFromAnyRank(_ line: String)
    /// A line that the next one may take the place of.
    func show(_ line: String)
}
