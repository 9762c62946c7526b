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
    /// That of the step, then that of the average; none while those of a guided run give their memory back.
    private var plans: [Plan]
    private let makePlans: (_ isGuided: Bool, _ arena: Floats?) throws -> [Plan]
    var plan: Plan { plans[0] }
    let groups: ParameterGroups
    var noise: NoiseStage?
    let companions: [any StepHook]
    /// ELR+: the average of this network's weights, which gives the other one its targets. It starts with weights of its
    /// own, as in the reference, and runs on the statistics of each batch, of which it keeps running ones of its own.
    var average: (store: ParameterStore, plan: Plan)? {
        guard let averaged else { return nil }
        return (averaged, plans[1])
    }
    private let averaged: ParameterStore?

    /// Experiment, memory and exchange that all networks of a run have in common.
    struct Surroundings {
        let experiment: Experiment
        let rule: any UpdateRule
        let communicator: any Communicator
        let pool: WorkerPool
        let options: PlanOptions
    }

    /// - Parameters:
    ///   - number: 0 for the first.
    ///   - other: the first network, for the second.
    ///   - gradientMemory: where the first network's gradients live.
    init(
        _ number: Int, _ here: Surroundings, sharing other: TrainedNetwork?,
        gradientMemory: (Int) throws -> Floats = { Floats(zeros: $0) }
    ) throws {
        let (experiment, recipe, pool) = (here.experiment, here.experiment.recipe, here.pool)
        let (graph, loss) = (experiment.graph, experiment.loss)
        func store(_ stream: Int, _ memory: (Int) throws -> Floats) rethrows -> ParameterStore {
            // The first one has the seed of the run; multiples of an odd constant keep the others apart from other seeds.
            let seed = recipe.seed &+ UInt64(stream) &* 0x9E37_79B9_7F4A_7C15
            return try ParameterStore(
                graph, minimising: experiment.minimised, seed: seed, pool: pool, isFrozen: { _ in false },
                gradientMemory: memory)
        }
        let own = try store(number) { count in
            if let other { other.store.gradients } else { try gradientMemory(count) }
        }
        let plus = experiment.objective.earlyLearning?.plus
        let rows = plus == nil ? nil : loss.rows
        let copy = rows.map { _ in store(2 + number) { _ in own.gradients } }
        // They follow the first network alone.
        companions = number > 0 ? [] : try experiment.companions(own, over: here.communicator, pool: pool)
        var wanted = [loss.sum, loss.weight] + companions.flatMap(\.reads)
        if plus == nil, let rows = loss.rows { wanted.append(rows) }
        makePlans = { [wanted] isGuided, arena in
            var options = here.options
            options.arena = arena
            let distances = isGuided ? experiment.guided?.links.map(\.distance) ?? [] : []
            let step = try Plan(
                graph, minimising: isGuided ? experiment.minimised : loss.sum, keeping: wanted + distances, store: own,
                pool: pool, options: options)
            guard let copy, let rows else { return [step] }
            options.arena = step.arena
            options.usesBatchStatistics = true
            let look = try Plan(graph, minimising: nil, keeping: [rows], store: copy, pool: pool, options: options)
            return [step, look]
        }
        plans = try makePlans(true, other?.plan.arena)
        let decay = experiment.objective.decay
        let layers = recipe.optimizer.layerDecay == nil ? nil : experiment.objective.layers
        groups = ParameterGroups(
            own, rule: here.rule, decays: { decay.decays($0, rank: $1) },
            scale: { layers?.scale(of: $0, decay: recipe.optimizer.layerDecay ?? 1) ?? 1 })
        noise = NoiseStage(recipe, own, network: number) { NamePattern($0).match($1) != nil }
        averaged = copy
        self.store = own
    }

    /// Gives the networks plans without a guide; those with one go first, so that their memory is free.
    static func leaveGuide(_ networks: [TrainedNetwork]) throws {
        for network in networks { network.plans = [] }
        for network in networks {
            network.plans = try network.makePlans(false, networks[0].plans.first?.arena)
        }
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
