extension Recipe {
    /// Annealed normal noise on the clipped gradient of every update.
    public struct GradNoise: RecipeSection {
        public enum Mode: String, CaseIterable, Decodable, Sendable {
            case absolute, relative
        }

        public let enabled: Bool
        public let mode: Mode
        public let eta, gamma, rho: Double
        public let seed: UInt64?
        public let startStep: Int
        public let stopStep: Int?
        public let exclude: [String]

        public static let defaults = [
            "enabled": "true", "mode": "absolute", "eta": "0.01", "gamma": "0.55", "rho": "1", "start_step": "0",
            "exclude": "[]",
        ]
        public static let meanings = [
            "enabled": "false takes the noise away and leaves the section in place.",
            "mode":
                "absolute: the variance at the start is eta; relative: the noise is rho times as long as the gradient.",
            "eta": "Variance (not deviation) of the noise at update 0, absolute mode; the paper has 0.01, 0.3 and 1.",
            "gamma": "The variance falls as (1 + update)^-gamma.",
            "rho": "Norm of the noise over that of the clipped gradient at update 0, relative mode.",
            "seed": "Another seed, other noise; absent: that of the run.",
            "start_step": "The first update with noise. The variance counts from update 0 all the same.",
            "stop_step": "The first update without noise again; absent: none.",
            "exclude": "Names of parameters that get none, * for any part of one name, ** for any names.",
        ]

        public func check(_ here: Here) {
            here.require(eta > 0, at: "eta", "more than 0 expected, found \(eta)")
            here.require(gamma >= 0, at: "gamma", "0 or more expected, found \(gamma)")
            here.require(rho > 0, at: "rho", "more than 0 expected, found \(rho)")
            here.require(startStep >= 0, at: "start_step", "0 or more expected, found \(startStep)")
            if let stopStep {
                here.require(
                    stopStep > startStep, at: "stop_step", reading: ["start_step"],
                    "\(stopStep) is not after start_step \(startStep)")
            }
        }
    }
}
