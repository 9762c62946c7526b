import Models
public import Recipes

extension VQTokenizer {
    public struct Settings: RecipeSection, Equatable {
        public enum Form: String, CaseIterable, Decodable, Sendable {
            case averageCosine = "ema_cosine"
            case averageDistance = "ema_euclidean"
            case levels = "fsq"
            case gradient
        }

        public let quantizer: Form
        public let codebookSize, codeDim: Int?
        public let levels: [Int]?
        public let commitmentWeight, absoluteError: Double
        public let decay, restartShare: Double
        public let startUpdates: Int

        public init(
            _ quantizer: Form, codebookSize: Int? = nil, codeDim: Int? = nil, levels: [Int]? = nil,
            commitmentWeight: Double = 0.25,
            absoluteError: Double = 0.1, decay: Double = 0.99, restartShare: Double = 0.1, startUpdates: Int = 0
        ) {
            (self.quantizer, self.codebookSize, self.codeDim, self.levels) = (quantizer, codebookSize, codeDim, levels)
            (self.commitmentWeight, self.absoluteError, self.decay) = (commitmentWeight, absoluteError, decay)
            (self.restartShare, self.startUpdates) = (restartShare, startUpdates)
        }

        public static let defaults = [
            "commitment_weight": "0.25", "absolute_error": "0.1", "decay": "0.99", "restart_share": "0.1",
            "start_updates": "0",
        ]
        public static let meanings = [
            "quantizer":
                "ema_cosine: unit codes that follow the vectors by moving averages; ema_euclidean: codes of any length; "
                + "fsq: rounding of each dimension; gradient: codes that learn as weights do.",
            "codebook_size": "Codes of the codebook; with fsq the product of the levels.",
            "code_dim": "Numbers of a code; with fsq one for each of the levels.",
            "levels": "With fsq: steps of each dimension, 2 to 1000.",
            "commitment_weight": "Weight of the squared distance of vectors to their codes.",
            "absolute_error": "Weight of the mean size of the pixels' error beside its mean square.",
            "decay": "What an update leaves of the moving averages, 0 to below 1.",
            "restart_share":
                "A code chosen by less than this share of the mean use starts again at a vector; 0: never.",
            "start_updates": "Updates without quantisation, after which k-means places the codes.",
        ]

        public func check(_ here: Here) {
            let isLevels = quantizer == .levels
            here.require(
                (levels != nil) == isLevels, at: "levels", reading: ["quantizer"],
                isLevels ? "missing: fsq wants them" : "only fsq has them")
            for (key, value) in [("codebook_size", codebookSize), ("code_dim", codeDim)] {
                here.require(
                    (value == nil) == isLevels, at: key, reading: ["quantizer"],
                    isLevels ? "fsq has it from its levels: leave it out" : "missing")
            }
            here.requirePositive(["codebook_size": codebookSize, "code_dim": codeDim])
            if let levels {
                // With more the bound reaches past the outermost step, and values round to one that does not exist.
                here.require(
                    !levels.isEmpty && levels.allSatisfy { (2...1000).contains($0) }, at: "levels",
                    "numbers from 2 to 1000 expected")
            }
            // In Double, which does not overflow. Ids are kept as Float.
            let count = levels.map { $0.reduce(1.0) { $0 * Double($1) } } ?? Double(codebookSize ?? 1)
            here.require(
                count < Double(1 << 24), at: levels == nil ? "codebook_size" : "levels",
                "fewer than \(1 << 24) codes expected, found \(count)")
            here.require(
                commitmentWeight >= 0, at: "commitment_weight", "0 or more expected, found \(commitmentWeight)")
            here.require(absoluteError >= 0, at: "absolute_error", "0 or more expected, found \(absoluteError)")
            here.require((0..<1).contains(decay), at: "decay", "0 to below 1 expected, found \(decay)")
            here.require((0..<1).contains(restartShare), at: "restart_share", "0 to below 1 expected")
            here.require(startUpdates >= 0, at: "start_updates", "0 or more expected, found \(startUpdates)")
        }

        /// What the quantiser has to know.
        var quantizerSettings: VectorQuantizer.Settings {
            let kind: VectorQuantizer.Kind =
                switch quantizer {
                case .averageCosine: .average(isDistance: false)
                case .averageDistance: .average(isDistance: true)
                case .gradient: .gradient
                case .levels: .levels(levels ?? [])
                }
            return .init(
                kind, codes: codebookSize ?? levels?.reduce(1, *) ?? 1, width: codeDim ?? levels?.count ?? 1,
                commitment: commitmentWeight)
        }
    }
}
