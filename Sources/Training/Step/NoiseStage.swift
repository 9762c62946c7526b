package import Autodiff
import Checkpoints
package import Kernels
import Models
package import Optimizers
package import Recipes

/// The gradient noise of one network: its parameters numbered and placed, and what the last update added.
package struct NoiseStage {
    private let noise: GradientNoise
    private let sites: NoiseSites
    /// Elements of all trainable parameters.
    private let count: Int
    private let steps: (first: Int, end: Int)
    /// What is said of a pattern that spares no parameter.
    private let unused: ModelError?
    private var last = (deviation: 0.0, norm: 0.0, gradient: 0.0)

    /// - Parameter network: each draws noise of its own.
    package init?(_ recipe: Recipe, _ store: ParameterStore, network: Int) {
        guard let settings = recipe.gradNoise, settings.enabled else { return nil }
        noise = GradientNoise(
            settings.mode == .absolute ? .absolute(variance: settings.variance) : .relative(share: settings.share),
            exponent: settings.gamma, seed: recipe.noiseSeed &+ UInt64(network))
        let slots = store.trainableSlots
        let names = slots.map(\.parameter.name)
        let numbers = GradientNoise.order(of: names)
        let exclude = settings.exclude.map(NamePattern.init)
        let slip = settings.exclude.first { text in !names.contains { NamePattern(text).match($0) != nil } }
        unused = slip.map {
            ModelError(
                "grad_noise.exclude", found: "'\($0)'",
                expected: "a pattern of names that are trained, such as '\(names.first ?? "")'",
                hint: "* is any part of a name, ** any parts")
        }
        sites = NoiseSites(
            slots.compactMap { slot in
                let name = slot.parameter.name
                guard let number = numbers[name], !exclude.contains(where: { $0.match(name) != nil }) else {
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
    package mutating func add(to gradients: Floats, step: Int, norm: Double, _ clip: Clip, pool: WorkerPool) {
        guard step >= steps.first, step < steps.end else {
            last = (0, 0, norm)
            return
        }
        let clipped = norm * clip.factor(norm: norm)
        let deviation = noise.deviation(at: step, norm: clipped, count: count)
        last = (deviation, noise.add(to: gradients, sites, step: step, deviation: deviation, pool: pool), clipped)
    }

    /// Of the last update: σ, ‖noise‖, and that over the norm of the clipped gradient.
    var measures: [StepRecord.Measure] {
        let ratio = last.gradient > 0 ? last.norm / last.gradient : 0
        return [.init("noise_sigma", last.deviation), .init("noise_norm", last.norm), .init("noise_ratio", ratio)]
    }

    /// The names are those of every rank, and so is the error.
    package func checkExclude() throws {
        if let unused { throw SharedError(unused) }
    }

    /// What may be a mistake, to be told before the first update.
    func warning(_ clip: Clip) -> String? {
        guard case .absolute = noise.mode, let limit = clip.limit else { return nil }
        let norm = noise.deviation(at: 0, norm: 0, count: count) * Double(count).squareRoot()
        guard norm > 10 * limit else { return nil }
        return
            "grad_noise: at the start the noise is about \(fixed(norm, digits: 1)) long, \(fixed(norm / limit, digits: 0)) "
            + "times clip.norm: updates will be mostly noise. Take grad_noise.mode 'relative' or a smaller eta"
    }
}

extension Recipe {
    /// Of the first network.
    var noiseSeed: UInt64 { gradNoise?.seed ?? seed }

    /// By purpose, as a checkpoint keeps them.
    var seeds: [String: UInt64] {
        var seeds = ["run": seed]
        if gradNoise != nil { seeds["grad_noise"] = noiseSeed }
        if let noise = data.labelNoise { seeds["label_noise"] = noise.seed }
        return seeds
    }
}
