import Autodiff
import Batches
import Checkpoints
import Kernels
import Optimizers
public import Recipes

/// The moving average of the first network's weights and running statistics, blended once an update.
public struct EMA: HookPart {
    public static let key = "ema"
    public static let meaning = "Moving average of the weights; absent: none."

    public struct Settings: RecipeSection {
        public let decay: Double

        public static let meanings = ["decay": "Share of the old average that stays at an update, 0 to below 1."]

        public func check(_ here: Here) {
            here.require((0..<1).contains(decay), at: "decay", "0 to below 1 expected, found \(decay)")
        }
    }

    private let decay: Double

    public init?(_ step: StepRecording) {
        guard let settings = step.recipe.settings(of: Self.self) else { return nil }
        decay = settings.decay
    }

    public var copies: Int { 1 }

    public func hook(_ context: HookContext) -> (any StepHook)? {
        Blending(context.stores[0], decay: decay, pool: context.pool)
    }

    private final class Blending: StepHook {
        let name = "EMA"
        private let values: Floats
        private let statistics, counters: [Floats]
        private let blended: WeightEMA
        private let decay: Double
        private let pool: WorkerPool

        init(_ store: ParameterStore, decay: Double, pool: WorkerPool) {
            (values, statistics, counters) = (store.values, store.statistics, store.counters)
            (self.decay, self.pool) = (decay, pool)
            blended = WeightEMA(copying: values, statistics: statistics, counters: counters)
        }

        var average: WeightEMA? { blended }

        func finish(_ clock: TrainingClock, isSkipped: Bool) {
            guard !isSkipped else { return }
            blended.blend(values, keep: decay, pool: pool)
            blended.blend(statistics: statistics, counters: counters, keep: decay, pool: pool)
        }
    }
}
