extension Recipe {
    /// Random operations on the 8-bit image, after crop and flip.
    public struct Policy: RecipeSection {
        public enum Kind: String, CaseIterable, Decodable, Sendable {
            case randAugment = "rand_augment"
            case torchvisionRandAugment = "torchvision_rand_augment"
            case trivialAugment = "trivial_augment"
            case autoAugment = "auto_augment"
            case threeAugment = "three_augment"
        }

        /// How rotations, shears and shifts fill in pixels.
        public enum Interpolation: String, CaseIterable, Decodable, Sendable {
            case nearest, bilinear, bicubic, random
        }

        public struct Warp: Sendable, Equatable {
            public let interpolation: Interpolation
            public let fill: [Int]
        }

        /// What each kind reads.
        public enum Rule: Sendable, Equatable {
            case randAugment(RandAugmentText, Warp)
            case torchvisionRandAugment(numOps: Int, magnitude: Int, Warp)
            case trivialAugment(Warp)
            case autoAugment(Warp)
            case threeAugment
        }

        public let kind: Kind
        public let rule: Rule

        private enum CodingKeys: String, CodingKey {
            case kind, config, numOps, magnitude, interpolation, fill
        }

        public init(from decoder: any Decoder) throws {
            let keys = try decoder.container(keyedBy: CodingKeys.self)
            func warp() throws -> Warp {
                Warp(
                    interpolation: try keys.decode(Interpolation.self, forKey: .interpolation),
                    fill: try keys.decode([Int].self, forKey: .fill))
            }
            kind = try keys.decode(Kind.self, forKey: .kind)
            switch kind {
            case .randAugment:
                rule = .randAugment(RandAugmentText(try keys.decode(String.self, forKey: .config)), try warp())
            case .torchvisionRandAugment:
                rule = .torchvisionRandAugment(
                    numOps: try keys.decode(Int.self, forKey: .numOps),
                    magnitude: try keys.decode(Int.self, forKey: .magnitude), try warp())
            case .trivialAugment: rule = .trivialAugment(try warp())
            case .autoAugment: rule = .autoAugment(try warp())
            case .threeAugment: rule = .threeAugment
            }
        }

        public static let meanings = [
            "kind":
                "rand_augment (timm's), torchvision_rand_augment, trivial_augment (the wide one), auto_augment (v0) or "
                + "three_augment (DeiT III).",
            "config": "timm's text: rand-m9-mstd0.5-inc1.",
            "num_ops": "Operations of an image.",
            "magnitude": "Strength of all operations, 0 to 30.",
            "interpolation": "Of rotations, shears and shifts; random: bilinear or bicubic for each.",
            "fill": "Red, green, blue, 0 to 255, of what comes from outside the image.",
        ]

        public func check(_ here: Here) {
            switch rule {
            case .randAugment(let text, let warp):
                here.require(text.problem == nil, at: "config", text.problem ?? "")
                check(warp, here)
            case .torchvisionRandAugment(let numOps, let magnitude, let warp):
                here.requirePositive(["num_ops": numOps])
                here.require((0...30).contains(magnitude), at: "magnitude", "0 to 30 expected, found \(magnitude)")
                check(warp, here)
            case .trivialAugment(let warp), .autoAugment(let warp): check(warp, here)
            case .threeAugment: break
            }
        }

        private func check(_ warp: Warp, _ here: Here) {
            here.require(
                warp.fill.count == 3 && warp.fill.allSatisfy { (0...255).contains($0) }, at: "fill",
                "3 numbers from 0 to 255 expected")
        }
    }
}
