import Autodiff
import Checkpoints
import Cluster
import Kernels
import Models
import Objectives
package import Optimizers
import Recipes

/// One network in training: its weights, the plan of its step, the state of its update rule. Networks of one run share
/// the memory of gradients and values: they take turns.
final class TrainedNetwork {
    let store: ParameterStore
    let groups: ParameterGroups
    var noise: NoiseStage?
    /// Those that follow this network.
    private(set) var hooks: [any StepHook] = []
    /// The plan of the step; none while a new one is made.
    private var plans: [Plan] = []
    var plan: Plan { plans[0] }

    /// - Parameter number: 0 for the first.
    init(_ number: Int, _ store: ParameterStore, _ experiment: Experiment, rule: any UpdateRule) {
        let (decay, recipe) = (experiment.objective.decay, experiment.recipe)
        let layers = recipe.optimizer.layerDecay == nil ? nil : experiment.objective.layers
        groups = ParameterGroups(
            store, rule: rule, decays: { decay.decays($0, rank: $1) },
            scale: { layers?.scale(of: $0, decay: recipe.optimizer.layerDecay ?? 1) ?? 1 })
        noise = NoiseStage(recipe, store, network: number) { NamePattern($0).match($1) != nil }
        self.store = store
    }

    /// Gives the networks their plans, all in the memory of the first one's. Those that they had go first, so that their
    /// memory is free.
    static func plan(
        _ networks: [TrainedNetwork], _ hooks: [any StepHook], _ loss: Loss, pool: WorkerPool, _ options: PlanOptions
    ) throws {
        for (number, network) in networks.enumerated() {
            network.plans = []
            network.hooks = hooks.filter { $0.follows(network: number) }
        }
        for hook in hooks { try hook.plan(in: nil) }
        var options = options
        for network in networks {
            options.arena = networks[0].plans.first?.arena
            network.plans = [
                try Plan(
                    loss.sum.graph, minimising: network.hooks.compactMap(\.minimised).last ?? loss.sum,
                    keeping: [loss.sum, loss.weight] + network.hooks.flatMap(\.reads), store: network.store,
                    pool: pool, options: options)
            ]
        }
        for hook in hooks { try hook.plan(in: networks[0].plan.arena) }
    }
}

extension Experiment {
    /// Weights in the form of this experiment's, initialized by a stream of their own.
    func store(
        _ stream: Int, pool: WorkerPool, gradientMemory: (Int) throws -> Floats
    ) rethrows -> ParameterStore {
        // The first one has the seed of the run; multiples of an odd constant keep the others apart from other seeds.
        try ParameterStore(
            graph, minimising: minimised, seed: recipe.seed &+ UInt64(stream) &* 0x9E37_79B9_7F4A_7C15, pool: pool,
            isFrozen: { _ in false }, gradientMemory: gradientMemory)
    }
}

extension NoiseStage {
    /// The names are those of every rank, and so is the error.
    package func checkExclude() throws {
        guard let unmatched else { return }
        throw SharedError(
            ModelError(
                "grad_noise.exclude", found: "'\(unmatched.pattern)'",
                expected: "a pattern of names that are trained, such as '\(unmatched.example)'",
                hint: "* is any part of a name, ** any parts"))
    }

    /// What may be a mistake, to be told before the first update.
    func warning(_ clip: Clip) -> String? {
        guard let norm = excess(over: clip), let limit = clip.limit else { return nil }
        return
            "grad_noise: at the start the noise is about \(fixed(norm, digits: 1)) long, \(fixed(norm / limit, digits: 0)) "
            + "times clip.max_norm: updates will be mostly noise. Take grad_noise.mode 'relative' or a smaller eta"
    }
}
