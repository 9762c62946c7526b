import Glibc
public import Kernels
public import Recipes

/// Changes of code vectors that stand for changes of colour: noise (Emb-Noise), or the mean and standard deviation of each channel
/// taken from another sample (ColorAdapt). One of them, or none, for all samples of an update, and then for half of them.
/// Source: arXiv 2312.10105, code naver-ai/seit.
public struct TokenColor: RecipePart, Sendable, Equatable {
    public static let key = "tokens.color"
    public static let meaning = "Noise or another sample's statistics in the code vectors; absent: neither."

    public struct Settings: RecipeSection {
        public let noise, adapt: Double
        public let afterCrop: Bool

        public static let defaults = ["after_crop": "false"]
        public static let meanings = [
            "noise": "Probability of noise, one deviation for channels and one for values, 0 to 1.",
            "adapt": "Probability of ColorAdapt: mean and deviation of each channel are the partner's, 0 to 1.",
            "after_crop": "The crop comes first, as in SeiT; SeiT++ changes the whole stored grid.",
        ]

        public func check(_ here: Here) { here.requireShares(["noise": noise, "adapt": adapt]) }
    }

    public init(_ settings: Settings) { self.init(noise: settings.noise, adapt: settings.adapt) }

    /// Probabilities, together at most 1.
    public let noise, adapt: Double
    /// Deviation of what a channel of a map has in common, and of what each value has of its own; code vectors have root
    /// mean square 1.
    public static let std = 1.0

    public init(noise: Double, adapt: Double) { (self.noise, self.adapt) = (noise, adapt) }

    public enum Change: Sendable, Equatable { case none, noise, adapt }

    /// Draws what happens to the samples of an update.
    public func draw(_ random: inout RandomStream) -> Change {
        let choice = random.uniform()
        return choice < noise ? .noise : choice < noise + adapt ? .adapt : .none
    }

    /// Adds a normal value for each channel and one for each value.
    /// - Parameter map: (…, D).
    public static func addNoise(_ map: Floats, channels: Int, _ random: inout RandomStream) {
        var (four, used) = (SIMD4<Double>.zero, 4)
        addNoise(map, channels: channels) {
            if used == 4 { (four, used) = (random.normals(), 0) }
            used += 1
            return four[used - 1]
        }
    }

    /// - Parameter normal: asked for the value of each channel, then for that of each value.
    @inline(__always) public static func addNoise(_ map: Floats, channels: Int, normal: () -> Double) {
        for channel in 0..<channels {
            let common = Float(std * normal())
            for place in stride(from: channel, to: map.count, by: channels) { map[place] += common }
        }
        for place in 0..<map.count { map[place] += Float(std * normal()) }
    }

    /// Mean and standard deviation (divisor: values − 1) of each channel of a map.
    /// - Parameters:
    ///   - map: (…, D).
    ///   - statistics: (2, D).
    public static func measure(_ map: Floats, channels: Int, into statistics: Floats) {
        let count = map.count / channels
        for channel in 0..<channels {
            var (sum, squares) = (0.0, 0.0)
            for place in stride(from: channel, to: map.count, by: channels) { sum += Double(map[place]) }
            let mean = sum / Double(count)
            for place in stride(from: channel, to: map.count, by: channels) {
                squares += (Double(map[place]) - mean) * (Double(map[place]) - mean)
            }
            statistics[channel] = Float(mean)
            statistics[channels + channel] = Float((squares / Double(max(count - 1, 1))).squareRoot())
        }
    }

    /// y = (x − mean) / std · std′ + mean′. A channel that does not vary stays as it is; the reference divides
    /// by its 0.
    /// - Parameters:
    ///   - own: what `measure` gave for this map.
    ///   - other: what it gave for the partner.
    public static func adapt(_ map: Floats, channels: Int, own: Floats, other: Floats) {
        for channel in 0..<channels where own[channels + channel] >= 1e-6 {
            let factor = other[channels + channel] / own[channels + channel]
            for place in stride(from: channel, to: map.count, by: channels) {
                map[place] = (map[place] - own[channel]) * factor + other[channel]
            }
        }
    }
}
