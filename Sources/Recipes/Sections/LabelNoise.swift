extension Recipe {
    /// Wrong labels put in on purpose, to see what a method makes of them.
    public struct LabelNoise: RecipeSection {
        public enum Kind: String, CaseIterable, Decodable, Sendable {
            case symmetric, asymmetric
        }

        public let kind: Kind
        public let noiseRate: Double
        public let seed: UInt64
        public let flips: [[Int]]?
        public let blocks: Int?
        public let asymSequential: Bool

        public static let defaults = ["seed": "0", "asym_sequential": "true"]
        public static let meanings = [
            "kind":
                "symmetric: a share of the samples gets a class drawn from all, the true one included; asymmetric: classes "
                + "are taken for similar ones.",
            "noise_rate": "Share of the samples that are drawn again or flipped, above 0 to 1.",
            "seed": "Another seed, other wrong labels.",
            "flips":
                "Asymmetric: pairs [from, to] of class numbers. Absent: those of the reference for cifar10, blocks of 5 "
                + "for cifar100.",
            "blocks": "Asymmetric: so many consecutive classes form a circle in which a label moves on to the next.",
            "asym_sequential":
                "Classes are flipped one after the other, so that a sample may be flipped back, as in the reference; "
                + "false: by the true labels.",
        ]

        public func check(_ here: Here) {
            here.require(noiseRate > 0 && noiseRate <= 1, at: "noise_rate", "above 0 to 1 expected, found \(noiseRate)")
            for (key, isGiven) in [("flips", flips != nil), ("blocks", blocks != nil)] {
                here.require(
                    !isGiven || kind == .asymmetric, at: key, reading: ["kind"],
                    "only label noise of kind 'asymmetric' has it")
            }
            here.require(
                flips == nil || blocks == nil, at: "blocks", reading: ["flips"], "flips is given too; keep one")
            if let blocks { here.require(blocks >= 2, at: "blocks", "at least 2 expected, found \(blocks)") }
            if let flips {
                here.require(
                    !flips.isEmpty && flips.allSatisfy { $0.count == 2 && $0[0] != $0[1] && $0.min() ?? -1 >= 0 },
                    at: "flips", "pairs of two different class numbers expected, as in [[9, 1], [3, 5]]")
                here.require(
                    Set(flips.compactMap(\.first)).count == flips.count, at: "flips",
                    "one flip from each class expected")
            }
        }
    }
}
