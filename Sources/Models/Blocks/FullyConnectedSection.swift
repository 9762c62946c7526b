public import Recipes

/// The model section of a recipe with `kind: fcn`: hidden layers over the pixels.
public struct FullyConnectedSection: EncoderSection {
    public static let kind = "fcn"

    private let depth, embedDim: Int
    private let firstWidth: Int?
    private let `init`: FullyConnected.Start
    private let initStd, dropout: Double?
    private let channels: Int
    private let batchNorm: Bool

    public static let defaults = ["batch_norm": "false"]
    public static let meanings = [
        "depth": "Hidden layers; the head comes on top.",
        "embed_dim": "Units of each hidden layer.",
        "first_width": "Units of the first hidden layer; absent: those of the others.",
        "init":
            "Initialization of the weights. zeros; normal: of the standard deviation init_std; he: variance 2/inputs; random_walk: that of "
            + "Sussillo and Abbott; uniform: within 1/root of inputs, biases too, as PyTorch.",
        "init_std": "Standard deviation of the init 'normal'; with no other.",
        "dropout": "Share of each layer's numbers left out in training, behind its ReLU, 0 to below 1; absent: none.",
        "batch_norm": "true: a batch norm before each ReLU, without which such a net should not be guided.",
        "channels": "1: a pixel is the mean of its channels, as for grey images; 3: every channel enters.",
    ]

    public var encoder: any EncoderSettings {
        var settings = FullyConnected.Settings(
            depth: depth, width: embedDim, start: `init`, deviation: initStd ?? 0, isGrey: channels == 1)
        (settings.firstWidth, settings.hasNorms, settings.dropout) = (firstWidth, batchNorm, dropout ?? 0)
        return settings
    }

    public func check(_ here: Here) {
        here.requirePositive(["depth": depth, "embed_dim": embedDim, "first_width": firstWidth])
        here.require(
            (`init` == .normal) == (initStd != nil), at: `init` == .normal ? "" : "init_std",
            reading: ["init", "init_std"],
            `init` == .normal
                ? "missing key 'init_std' of the init 'normal'"
                : "the init '\(`init`.rawValue)' has none; leave it out")
        here.require([1, 3].contains(channels), at: "channels", "1 or 3 expected, found \(channels)")
        if let initStd {
            here.require(initStd > 0, at: "init_std", "more than 0 expected, found \(initStd)")
        }
        if let dropout {
            here.require((0..<1).contains(dropout), at: "dropout", "0 to below 1 expected, found \(dropout)")
        }
    }
}
