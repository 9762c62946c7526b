import Autodiff
import Kernels
import Objectives
import Optimizers
import Testing
import Training

/// The groups that the trainer makes for layer-wise rates are the reference's, in its order.
@Suite struct FinetuneGroups {
    @Test(arguments: SimMIMTraces.classification)
    func `a classifier's parameters fall into the reference's groups`(_ golden: SimMIMFile) throws {
        let graph = Graph()
        let objective = try golden.classification(graph)
        let batch = objective.inputs(graph, batch: 1)
        let store = ParameterStore(
            graph, minimising: objective.loss(batch).sum, seed: 0, pool: WorkerPool(threads: 1))
        let train = try #require(golden.config.train)
        let layers = try #require(objective.layers)
        let groups = ParameterGroups(
            store, rule: AdamW(),
            decays: { objective.decay.decays($0, rank: $1) },
            scale: { layers.scale(of: $0, decay: train.layer_decay ?? 1) })
        let names = groups.groups.map { group in
            Set(
                store.trainableSlots.filter { slot in group.run.tensors.contains { $0.range == slot.range } }
                    .map(\.parameter.name))
        }
        let expected = try #require(golden.config.param_groups)
        #expect(names == expected.map { Set($0.names) })
        #expect(groups.groups.map { $0.decays ? train.weight_decay : 0 } == expected.map(\.weight_decay))
    }
}
