extension Recipe {
    /// Annealed normal noise on the clipped gradient of every update.
    public struct GradNoise: RecipeSection {
        public enum Mode: String, CaseIterable, Decodable, Sendable {
            case absolute, relative
        }

        public let enabled: Bool
        public let mode: Mode
        private let eta, rho: Double?
        public let gamma: Double
        public let seed: UInt64?
        public let startStep: Int
        public let stopStep: Int?
        public let exclude: [String]

        /// At update 0, absolute mode.
        public var variance: Double { eta ?? 0.01 }
        /// Norm of the noise over that of the clipped gradient at update 0, relative mode.
        public var share: Double { rho ?? 1 }

        public static let defaults = [
            "enabled": "true", "mode": "absolute", "gamma": "0.55", "start_step": "0", "exclude": "[]",
        ]
        public static let meanings = [
            "enabled": "false takes the noise away and leaves the section in place.",
            "mode":
                "absolute: the variance at the start is eta; relative: the noise is rho times as long as the gradient.",
            "eta":
                "Variance (not deviation) of the noise at update 0, absolute mode; the paper has 0.01, 0.3 and 1; absent: "
                + "0.01.",
            "gamma": "The variance falls as (1 + update)^-gamma.",
            "rho": "Norm of the noise over that of the clipped gradient at update 0, relative mode; absent: 1.",
            "seed": "Another seed, other noise; absent: that of the run.",
            "start_step": "The first update with noise. The variance counts from update 0 all the same.",
            "stop_step": "The first update without noise again; absent: none.",
            "exclude": "Names of parameters that get none, * for any part of one name, ** for any names.",
        ]

        public func check(_ here: Here) {
            for (key, value, owner) in [("eta", eta, Mode.absolute), ("rho", rho, Mode.relative)] {
                guard let value else { continue }
                here.require(
                    mode == owner, at: key, reading: ["mode"], "only noise of mode '\(owner.rawValue)' has it")
                here.require(value > 0, at: key, "more than 0 expected, found \(value)")
            }
            here.require(gamma >= 0, at: "gamma", "0 or more expected, found \(gamma)")
            here.require(startStep >= 0, at: "start_step", "0 or more expected, found \(startStep)")
            if let stopStep {
                here.require(
                    stopStep > startStep, at: "stop_step", reading: ["start_step"],
                    "\(stopStep) is not after start_step \(startStep)")
            }
        }

        /// Rules with the rest of the recipe.
        func check(_ recipe: Recipe, _ here: Here) {
            guard let updates = recipe.schedule.updates else { return }
            here.require(
                startStep < updates, at: "grad_noise.start_step", reading: ["schedule.updates"],
                "\(startStep) is not before the end of the run, \(updates) updates")
        }
    }
}
