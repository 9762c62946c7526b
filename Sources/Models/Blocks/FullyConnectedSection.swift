public import Recipes

/// The model section of a recipe with `kind: fcn`: hidden layers over the pixels.
public struct FullyConnectedSection: EncoderSection {
    public static let kind = "fcn"

    private let depth, width: Int
    private let firstWidth: Int?
    private let start: FullyConnected.Start
    private let deviation, dropout: Double?
    private let grey, batchNorm: Bool

    public static let defaults = ["batch_norm": "false"]
    public static let meanings = [
        "depth": "Hidden layers; the head comes on top.",
        "width": "Units of each hidden layer.",
        "first_width": "Units of the first hidden layer; absent: those of the others.",
        "start":
            "Weights at the start. zeros; normal: of the deviation given; he: variance 2/inputs; random_walk: that of "
            + "Sussillo and Abbott; uniform: within 1/root of inputs, biases too, as PyTorch.",
        "deviation": "Standard deviation of the start 'normal'; with no other start.",
        "dropout": "Share of each layer's numbers left out in training, behind its ReLU, 0 to below 1; absent: none.",
        "batch_norm": "true: a batch norm before each ReLU, without which such a net should not be guided.",
        "grey": "true: a pixel is the mean of its channels, as for grey images; false: every channel enters.",
    ]

    public var encoder: any EncoderSettings {
        var settings = FullyConnected.Settings(
            depth: depth, width: width, start: start, deviation: deviation ?? 0, isGrey: grey)
        (settings.firstWidth, settings.hasNorms, settings.dropout) = (firstWidth, batchNorm, dropout ?? 0)
        return settings
    }

    public func check(_ here: Here) {
        here.requirePositive(["depth": depth, "width": width, "first_width": firstWidth])
        here.require(
            (start == .normal) == (deviation != nil), at: start == .normal ? "" : "deviation",
            reading: ["start", "deviation"],
            start == .normal
                ? "missing key 'deviation' of the start 'normal'"
                : "the start '\(start.rawValue)' has none; leave it out")
        if let deviation {
            here.require(deviation > 0, at: "deviation", "more than 0 expected, found \(deviation)")
        }
        if let dropout {
            here.require((0..<1).contains(dropout), at: "dropout", "0 to below 1 expected, found \(dropout)")
        }
    }
}
