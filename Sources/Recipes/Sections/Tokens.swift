extension Recipe {
    /// How a record of a token set becomes the model's input; stands in the place of `images`.
    public struct Tokens: RecipeSection {
        public let size: Int
        public let codebookSize, codeDim: Int
        public let edit: Edit?
        public let crop: Crop?
        public let color: Color?
        public let mix: Mix?
        public let adapt: Adapt?
        public let partner: Mix.Partner

        public static let defaults = ["partner": "neighbour"]
        public static let meanings = [
            "size": "Side of the grid that the model sees, tokens; at most the stored side.",
            "codebook_size": "Codes that the model provides for: at least as many as the token set's codebook has.",
            "code_dim": "Numbers of a code vector; that of the token set's codebook.",
            "edit": "Token-EDA: ids replaced by similar ones, or blocks exchanged; absent: not.",
            "crop": "Random resized crop of the code vectors; absent: the middle of the grid.",
            "color": "Noise or another sample's statistics in the code vectors; absent: neither.",
            "mix": "Mixup and CutMix of the code vectors, for classes; absent: none.",
            "adapt": "Half of each batch goes through TokenAdapt, with movements of its own; absent: none of it.",
            "partner":
                "Whom color takes statistics from and which half adapt takes. neighbour: pairs next to each other, the "
                + "same for any number of ranks; mirror: first and last of each rank's micro-batch and so on, and its "
                + "second half, as the reference has it.",
        ]

        public func check(_ here: Here) {
            here.require((1...1024).contains(size), at: "size", "1 to 1024 tokens expected, found \(size)")
            here.require(
                (2..<1 << 24).contains(codebookSize), at: "codebook_size",
                "2 to \((1 << 24) - 1) expected, found \(codebookSize)")
            here.require(
                edit == nil || codebookSize > 5, at: "codebook_size", reading: ["edit"],
                "6 or more expected, found \(codebookSize): edit takes one of the five nearest other codes")
            here.require((1...4096).contains(codeDim), at: "code_dim", "1 to 4096 expected, found \(codeDim)")
            here.require(
                adapt == nil || color?.afterCrop != true, at: "adapt", reading: ["color"],
                "color.after_crop leaves nothing of the stored grid; TokenAdapt reads that")
        }
    }
}

extension Recipe.Tokens {
    /// Edits of the ids, one of them or none for each sample.
    public struct Edit: RecipeSection {
        public let synonyms, swap: Double

        public static let meanings = [
            "synonyms": "Probability that a quarter of the ids take one of the five nearest codes, 0 to 1.",
            "swap": "Probability that two blocks of up to a quarter of the side change places, 0 to 1.",
        ]

        public func check(_ here: Here) { checkShares(["synonyms": synonyms, "swap": swap], here) }
    }

    /// Area and ratio are drawn, the part is resized by cubic interpolation; the ratio lies between 3/4 and 4/3.
    public struct Crop: RecipeSection {
        public let scale: [Double]

        public static let meanings = ["scale": "Smallest and largest share of the grid's area, above 0 to 1."]

        public func check(_ here: Here) { here.requireRange(scale, at: "scale", upTo: 1) }
    }

    /// One of two changes, or none, for the samples of an update, and then for half of them.
    public struct Color: RecipeSection {
        public let noise, adapt: Double
        public let afterCrop: Bool

        public static let defaults = ["after_crop": "false"]
        public static let meanings = [
            "noise": "Probability of noise, one deviation for channels and one for values, 0 to 1.",
            "adapt": "Probability of ColorAdapt: mean and deviation of each channel are the partner's, 0 to 1.",
            "after_crop": "The crop comes first, as in SeiT; SeiT++ changes the whole stored grid.",
        ]

        public func check(_ here: Here) { checkShares(["noise": noise, "adapt": adapt], here) }
    }

    /// TokenAdapt: code vectors become features, which are mirrored, turned, moved, cut, mixed, and become ids again.
    public struct Adapt: RecipeSection {
        public let path: String
        public let scale: [Double]
        public let headDim: Int
        public let mix: Recipe.Mix?

        public static let defaults = ["head_dim": "64"]
        public static let meanings = [
            "path": "Its weights: a run folder, a step of one or a safetensors file.",
            "scale": "Smallest and largest share of the features' area that is cut out, above 0 to 1.",
            "head_dim": "Channels of a head of its attention, of which the weights say nothing.",
            "mix": "Mixup and CutMix of the features, for classes; absent: none.",
        ]

        public func check(_ here: Here) {
            here.requireRange(scale, at: "scale", upTo: 1)
            here.requirePositive(["head_dim": headDim])
        }
    }
}

/// Probabilities of which one happens at most.
private func checkShares(_ shares: KeyValuePairs<String, Double>, _ here: Here) {
    for (key, share) in shares {
        here.require((0...1).contains(share), at: key, "a probability, 0 to 1, expected, found \(share)")
    }
    guard let last = shares.last else { return }
    let sum = shares.reduce(0) { $0 + $1.value }
    here.require(
        sum <= 1, at: last.key, reading: shares.dropLast().map { $0.key },
        "probabilities of \(sum) together, at most 1 expected")
}
