import Glibc
public import Recipes

/// The curves of microsoft/SimMIM over finished micro-batches t: a linear warm-up, then one of four shapes. The phase
/// of the cosine counts from 0, not from the end of the warm-up, so there is a small jump down at it. The reference
/// steps its scheduler after the optimizer, so an update runs at the value of the one before: a milestone acts with the
/// second update of its epoch. Every learning rate grows with the batch.
public struct SimMIMSchedule: LearningRateSchedule {
    public enum Shape: Sendable, Equatable {
        case constant
        case cosine(minimum: Double)
        /// Times `gamma` at each milestone.
        case multistep(milestones: [Epochs], gamma: Double)
        /// Times `gamma` every `period`.
        case step(period: Epochs, gamma: Double)
        /// Straight from the base to `end` of it.
        case linear(end: Double)
    }

    let frame: ScheduleFrame
    let shape: Shape

    public init(_ frame: ScheduleFrame, _ shape: Shape) {
        self.frame = frame
        self.shape = shape
    }

    public func learningRate(at update: Int, scale: Double) -> Double {
        let (clock, base) = (frame.clock, frame.base * scale)
        let finished = clock.lastMicroBatch(before: update)
        let warmup = frame.warmup.map { clock.microBatches(in: $0) } ?? 0
        let total = clock.microBatches(in: frame.length)
        if finished < warmup {
            let start = frame.warmupStart * frame.batchFactor
            return start + Double(finished) * (base - start) / Double(warmup)
        }
        func microBatches(_ epochs: Epochs) -> Int { clock.microBatches(in: .epochs(epochs)) }
        switch shape {
        case .constant: return base
        case .cosine(let minimum):
            let minimum = minimum * frame.batchFactor
            guard finished < total else { return minimum }
            return minimum + (base - minimum) * halfCosine(Double(finished) / Double(total))
        case .multistep(let milestones, let gamma):
            return base * pow(gamma, Double(milestones.count { microBatches($0) <= finished }))
        case .step(let period, let gamma):
            return base * pow(gamma, Double(finished / microBatches(period)))
        case .linear(let end):
            return base - (1 - end) * base * Double(finished - warmup) / Double(max(total - warmup, 1))
        }
    }
}

/// One learning rate after the warm-up.
public enum Constant: ScheduleKind {
    public struct Settings: RecipeSection {}

    public static let kind = "constant"

    public static func schedule(_ settings: Settings, _ frame: ScheduleFrame) -> any LearningRateSchedule {
        SimMIMSchedule(frame, .constant)
    }
}

/// A straight line from the end of the warm-up to the end of the run.
public enum Linear: ScheduleKind {
    public struct Settings: RecipeSection {
        public let lrMinRate: Double

        public static let defaults = ["lr_min_rate": "0.01"]
        public static let meanings = ["lr_min_rate": "Share of the base learning rate that is left at the end."]

        public func check(_ here: Here) {
            here.require((0...1).contains(lrMinRate), at: "lr_min_rate", "0 to 1 expected, found \(lrMinRate)")
        }
    }

    public static let kind = "linear"

    public static func schedule(_ settings: Settings, _ frame: ScheduleFrame) -> any LearningRateSchedule {
        SimMIMSchedule(frame, .linear(end: settings.lrMinRate))
    }
}
