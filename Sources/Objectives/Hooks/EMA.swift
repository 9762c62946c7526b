import Autodiff
import Batches
import Checkpoints
import Kernels
import Optimizers
import Recipes

/// The moving average of the first network's weights and running statistics: `average` of a recipe.
public struct EMA: HookPart {
    private let decay: Double

    public init?(_ step: StepRecording) {
        guard let settings = step.recipe.average else { return nil }
        decay = settings.decay
    }

    public func hook(_ context: HookContext) -> (any StepHook)? {
        Blending(context.stores[0], decay: decay, pool: context.pool)
    }

    private final class Blending: StepHook {
        let name = "EMA"
        private let store: ParameterStore
        private let blended: WeightEMA
        private let decay: Double
        private let pool: WorkerPool

        init(_ store: ParameterStore, decay: Double, pool: WorkerPool) {
            (self.store, self.decay, self.pool) = (store, decay, pool)
            blended = WeightEMA(
                copying: store.values, statistics: store.statistics, counters: store.counters)
        }

        var average: WeightEMA? { blended }

        func finish(_ clock: TrainingClock, isSkipped: Bool) {
            guard !isSkipped else { return }
            blended.blend(store.values, keep: decay, pool: pool)
            blended.blend(statistics: store.statistics, counters: store.counters, keep: decay, pool: pool)
        }
    }
}

/// The labels of a set under label noise, as they are learned and as they should be: `data.label_noise` of a recipe. They
/// lie in every checkpoint.
public struct LabelRecord: HookPart {
    public init?(_ step: StepRecording) {
        if step.recipe.data.labelNoise == nil { return nil }
    }

    public func hook(_ context: HookContext) -> (any StepHook)? { context.source?.noisyLabels.map(Keeping.init) }

    private final class Keeping: StepHook {
        let name = "noisy labels"
        private let labels: NoisyLabels

        init(_ labels: NoisyLabels) { self.labels = labels }

        var tensors: [StoredTensor] {
            [
                StoredTensor("labels/noisy", [labels.noisy.count], integers: labels.noisy),
                StoredTensor("labels/clean", [labels.clean.count], integers: labels.clean),
            ]
        }
    }
}
