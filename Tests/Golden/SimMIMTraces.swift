import Autodiff
import Kernels
import Objectives
import Optimizers
import Testing
import Training

/// Several optimiser steps of each trace: loss, gradient norm and rate at every step, parameters after the last.
@Suite struct SimMIMTraces {
    static let pretraining = SimMIMFile.files(holding: "input/mask", "trace/loss")
    static let classification = SimMIMFile.files(holding: "input/soft_targets", "trace/loss")
    private let pool = WorkerPool(threads: 2)

    @Test(arguments: pretraining)
    func `pre-training follows the reference step by step`(_ golden: SimMIMFile) throws {
        let graph = Graph()
        let objective = try golden.simMIM(graph)
        let images = try golden.file.tensor("input/images")
        let batch = objective.inputs(graph, batch: images.shape[1])
        let mask = try #require(batch.mask)
        let masks = try golden.integers("input/mask").map { Float($0) }
        try follow(golden, graph, objective, batch, (mask, masks))
    }

    @Test(arguments: classification)
    func `fine-tuning follows the reference step by step`(_ golden: SimMIMFile) throws {
        let graph = Graph()
        let objective = try golden.classification(graph)
        let images = try golden.file.tensor("input/images")
        let batch = objective.inputs(graph, batch: images.shape[1])
        let targets = try #require(batch.targets)
        try follow(golden, graph, objective, batch, (targets, try golden.floats("input/soft_targets")))
    }

    /// - Parameter second: the input beside the images, and its numbers for all steps.
    private func follow(
        _ golden: SimMIMFile, _ graph: Graph, _ objective: some Objective, _ batch: BatchTensors,
        _ second: (input: Tensor, numbers: [Float])
    ) throws {
        let train = try #require(golden.config.train)
        let loss = objective.loss(batch)
        let store = ParameterStore(graph, minimising: loss.sum, seed: 0, pool: pool)
        try golden.load(into: store)
        let plan = try Plan(
            graph, minimising: loss.sum, keeping: [loss.sum, loss.weight], store: store, pool: pool)

        let groups = parameterGroups(graph, objective, layerDecay: train.layer_decay)
        let expected = try #require(golden.config.param_groups)
        #expect(groups.map(\.names) == expected.map(\.names))
        #expect(groups.map { $0.decays ? train.weight_decay : 0 } == expected.map(\.weight_decay))
        // The running sum of an accumulation, clipped after every micro-batch as in the reference.
        let gradients = Floats(zeros: store.gradients.count)
        let moments = [Floats(zeros: gradients.count), Floats(zeros: gradients.count)]
        let runs = try groups.map { group in
            ParameterRun(
                values: store.values[0..<gradients.count], gradients: gradients, state: moments,
                tensors: try group.names.map { name in
                    let slot = try #require(store.slot(name))
                    return RunTensor(range: slot.range, rank: slot.parameter.shape.rank)
                })
        }
        let recipe = try train.recipe
        let rule = try recipe.updateRule(Catalog.own.optimizers)
        let clip = Clip(recipe, before: rule)
        let accumulation = max(1, train.accumulation_steps)
        let clock = EpochClock(microBatches: train.n_iter_per_epoch, accumulation: accumulation)
        let schedule = try recipe.learningRates(clock, Catalog.own.schedules)
        let images = try golden.file.tensor("input/images")
        let pixels = channelsLast(images.floats, [images.shape[0] * images.shape[1]] + images.shape[2...])
        let rates = try golden.floats("trace/lr")
        var updates = 0
        for step in 0..<images.shape[0] {
            plan.set(batch.images, Floats(part(pixels, step, of: images.shape[0])))
            plan.set(second.input, Floats(part(second.numbers, step, of: images.shape[0])))
            plan.forward()
            plan.backward()
            let weight = Double(plan.value(of: loss.weight)[0]) * Double(accumulation)
            let position = step % clock.microBatches
            pool.copy(
                store.gradients, into: gradients, adding: position % accumulation > 0, scale: Float(1 / weight))
            let norm = try #require(clip.apply(to: runs, pool: pool))
            let mean = Double(plan.value(of: loss.sum)[0]) / weight
            expectWithin(1e-5, [Float(mean)], [try golden.floats("trace/loss")[step]], "loss of step \(step)")
            expectWithin(1e-5, [Float(norm)], [try golden.floats("trace/grad_norm")[step]], "norm of step \(step)")
            let isUpdate = (position + 1) % accumulation == 0
            if isUpdate { updates += 1 }
            for (index, run) in runs.enumerated() {
                guard let update = update(ofMicroBatch: step, clock) else { continue }
                let rate = schedule.learningRate(at: update, scale: groups[index].scale)
                expectWithin(1e-6, [Float(rate)], [rates[step * runs.count + index]], "rate of group \(index)")
                guard isUpdate else { continue }
                let decay = groups[index].decays ? train.weight_decay : 0
                rule.update(run, learningRate: rate, weightDecay: decay, step: updates, pool: pool)
            }
        }
        let after = golden.parts(after: "after/")
        #expect(Set(after) == Set(store.names))
        // A step moves a weight by its rate at most, which is what rounding in a zero gradient does.
        let moved = rates.reduce(0, +)
        for name in after {
            let ours = try #require(store.value(name)).array.partedKeyBias(name)
            let reference = try golden.floats("after/\(name)").partedKeyBias(name)
            for (found, wanted, tolerance) in [
                (ours.rest, reference.rest, 5e-5), (ours.key, reference.key, moved),
            ] {
                let worst = zip(found, wanted).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
                #expect(worst <= tolerance, "\(name) is off by \(worst) after \(updates) updates")
            }
        }
    }

    private func part(_ numbers: [Float], _ index: Int, of count: Int) -> [Float] {
        let size = numbers.count / count
        return Array(numbers[index * size..<(index + 1) * size])
    }
}
