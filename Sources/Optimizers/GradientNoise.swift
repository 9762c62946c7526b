public import Autodiff
import Glibc
public import Kernels
public import Recipes

/// Annealed Gaussian noise on the clipped mean gradient: `g += σ_t·z`, `σ_t² = η/(1+t)^γ`, t = updates so far.
/// Source: arXiv 1511.06807; the draws are this project's definition. Each is a pure function of (seed, update,
/// parameter, element), so that no rank count, thread count, shard or resume changes it.
public struct GradientNoise: Sendable, Equatable {
    public enum Mode: Sendable, Equatable {
        /// η, the variance (not the standard deviation) at t = 0.
        case absolute(variance: Double)
        /// Noise whose norm is `share` of the clipped gradient's at t = 0. Ours, not the paper's.
        case relative(share: Double)
    }

    public let mode: Mode
    /// γ, the exponent of the variance.
    public let exponent: Double
    public let seed: UInt64

    public init(_ mode: Mode, exponent: Double = 0.55, seed: UInt64) {
        self.mode = mode
        self.exponent = exponent
        self.seed = seed
    }

    /// σ_t of update `step` (from 0).
    /// - Parameters:
    ///   - norm: of the clipped gradient over all trainable parameters; only the relative mode reads it.
    ///   - count: elements of all trainable parameters.
    public func std(at step: Int, norm: Double, count: Int) -> Double {
        let fall = pow(1 + Double(step), -exponent)
        switch mode {
        case .absolute(let variance): return (variance * fall).squareRoot()
        case .relative(let share): return (share * share * norm * norm / Double(count) * fall).squareRoot()
        }
    }

    /// Numbers of the trainable parameters: positions of their names in the order of UTF-8 bytes.
    public static func order(of names: [String]) -> [String: UInt32] {
        let sorted = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return Dictionary(uniqueKeysWithValues: sorted.enumerated().map { ($1, UInt32($0)) })
    }

    /// Adds σ·z to gradients.
    /// - Returns: the norm of what was added.
    @discardableResult
    public func add(to gradients: Floats, _ sites: NoiseSites, step: Int, std: Double, pool: WorkerPool) -> Double {
        pool.addNoise(to: gradients, sites, key: key, step: UInt32(step), std: std).squareRoot()
    }

    /// Adds σ·z to the gradient of one parameter or a slice of it.
    /// - Parameters:
    ///   - first: position of the slice's first element in the parameter.
    ///   - parameter: the parameter's number.
    public func add(
        to gradients: Floats, first: Int = 0, parameter: UInt32, step: Int, std: Double, pool: WorkerPool
    ) {
        let slice = NoiseSites.Site(0..<gradients.count, first: first, parameter: parameter)
        add(to: gradients, NoiseSites([slice]), step: step, std: std, pool: pool)
    }

    private var key: SIMD2<UInt32> {
        SIMD2(
            UInt32(truncatingIfNeeded: seed),
            UInt32(truncatingIfNeeded: seed >> 32) ^ Purpose.gradientNoise.rawValue)
    }

    /// The four words of elements 4·`block`..<4·`block` + 4 of a parameter.
    package func words(block: Int, parameter: UInt32, step: UInt32) -> SIMD4<UInt32> {
        let block = UInt64(block)
        let counter = SIMD4(
            UInt32(truncatingIfNeeded: block), UInt32(truncatingIfNeeded: block >> 32), parameter, step)
        return Philox.words(counter: counter, key: key)
    }
}

/// The gradient noise of one network: its parameters numbered and placed, and what the last update added.
public struct NoiseStage: RecipePart {
    public struct Settings: RecipeSection {
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

        /// Variance at update 0, absolute mode.
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
                "Variance (not standard deviation) of the noise at update 0, absolute mode; the paper has 0.01, 0.3 and 1; absent: "
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
    }

    public static let key = "grad_noise"
    public static let meaning = "Annealed normal noise on the clipped gradient of every update; absent: none."

    public static func check(_ settings: Settings, _ recipe: Recipe, _ here: Here) {
        guard let updates = recipe.schedule.updates else { return }
        here.require(
            settings.startStep < updates, at: "grad_noise.start_step", reading: ["schedule.updates"],
            "\(settings.startStep) is not before the end of the run, \(updates) updates")
    }

    private let noise: GradientNoise
    private let sites: NoiseSites
    /// Elements of all trainable parameters.
    private let count: Int
    private let steps: (first: Int, end: Int)
    /// A pattern of `exclude` that fits no trained parameter, and the name of one that is trained.
    public let unmatched: (pattern: String, example: String)?
    private var last = (std: 0.0, norm: 0.0, gradient: 0.0)

    /// - Parameters:
    ///   - network: each draws noise of its own.
    ///   - matches: whether a pattern of `exclude` fits a name.
    public init?(
        _ recipe: Recipe, _ store: ParameterStore, network: Int,
        matches: (_ pattern: String, _ name: String) -> Bool
    ) {
        guard let settings = recipe.settings(of: Self.self), settings.enabled else { return nil }
        noise = GradientNoise(
            settings.mode == .absolute ? .absolute(variance: settings.variance) : .relative(share: settings.share),
            exponent: settings.gamma, seed: recipe.noiseSeed &+ UInt64(network))
        let slots = store.trainableSlots
        let names = slots.map(\.parameter.name)
        let numbers = GradientNoise.order(of: names)
        unmatched = settings.exclude.first { pattern in !names.contains { matches(pattern, $0) } }
            .map { ($0, names.first ?? "") }
        sites = NoiseSites(
            slots.compactMap { slot in
                let name = slot.parameter.name
                guard let number = numbers[name], !settings.exclude.contains(where: { matches($0, name) }) else {
                    return nil
                }
                return NoiseSites.Site(slot.range, parameter: number)
            })
        count = slots.reduce(0) { $0 + $1.range.count }
        steps = (settings.startStep, settings.stopStep ?? .max)
    }

    /// - Parameters:
    ///   - step: updates that the network has done.
    ///   - norm: of the gradient before it was clipped.
    public mutating func add(to gradients: Floats, step: Int, norm: Double, _ clip: Clip, pool: WorkerPool) {
        guard step >= steps.first, step < steps.end else {
            last = (0, 0, norm)
            return
        }
        let clipped = norm * clip.factor(norm: norm)
        let std = noise.std(at: step, norm: clipped, count: count)
        last = (std, noise.add(to: gradients, sites, step: step, std: std, pool: pool), clipped)
    }

    /// What a log line says of the last update: σ, ‖noise‖, and that over the norm of the clipped gradient.
    public var measures: [(name: String, value: Double)] {
        let ratio = last.gradient > 0 ? last.norm / last.gradient : 0
        return [("noise_sigma", last.std), ("noise_norm", last.norm), ("noise_ratio", ratio)]
    }

    /// Length of the noise of the first update where it is more than ten times what the clip leaves of a gradient: perhaps
    /// a mistake.
    public func excess(over clip: Clip) -> Double? {
        guard case .absolute = noise.mode, let limit = clip.limit else { return nil }
        let norm = noise.std(at: 0, norm: 0, count: count) * Double(count).squareRoot()
        return norm > 10 * limit ? norm : nil
    }
}

extension Recipe {
    /// Seed of the first network's gradient noise.
    public var noiseSeed: UInt64 { settings(of: NoiseStage.self)?.seed ?? seed }
}
