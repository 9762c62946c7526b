public import Recipes

/// The model section of a recipe with `kind: fcn`: hidden layers of one width over the pixels.
public struct FullyConnectedSection: EncoderSection {
    public static let kind = "fcn"

    private let depth, width: Int
    private let start: FullyConnected.Start
    private let deviation: Double?
    private let grey, batchNorm: Bool

    public static let defaults = ["batch_norm": "false"]
    public static let meanings = [
        "depth": "Hidden layers; the head comes on top.",
        "width": "Units of each hidden layer.",
        "start":
            "Weights at the start. zeros; normal: of the deviation given; he: variance 2/inputs; random_walk: that of "
            + "Sussillo and Abbott; uniform: within 1/root of inputs, biases too, as PyTorch.",
        "deviation": "Standard deviation of the start 'normal'; with no other start.",
        "batch_norm": "true: a batch norm before each ReLU, without which such a net should not be guided.",
        "grey": "true: a pixel is the mean of its channels, as for grey pictures; false: every channel enters.",
    ]

    public var encoder: any EncoderSettings {
        var settings = FullyConnected.Settings(
            depth: depth, width: width, start: start, deviation: deviation ?? 0, isGrey: grey)
        settings.hasNorms = batchNorm
        return settings
    }

    public func check(_ here: Here) {
        here.requirePositive(["depth": depth, "width": width])
        here.require(
            (start == .normal) == (deviation != nil), at: start == .normal ? "" : "deviation",
            reading: ["start", "deviation"],
            start == .normal
                ? "missing key 'deviation' of the start 'normal'"
                : "the start '\(start.rawValue)' has none; leave it out")
        if let deviation {
            here.require(deviation > 0, at: "deviation", "more than 0 expected, found \(deviation)")
        }
    }
}
