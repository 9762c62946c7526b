public import Recipes

/// A cosine over the run, in the form of one reference.
public enum Cosine: ScheduleKind {
    /// Whose cosine it is.
    public enum Form: String, CaseIterable, Decodable, Sendable {
        /// Counted from the start of the run, one update late; every learning rate grows with the batch.
        case simmim
        /// Counted from the end of the warm-up, in fractions of an epoch; the base alone grows with the batch.
        case mae
        /// Counted in whole epochs, one late; the base alone grows with the batch.
        case deit
        /// Counted in whole epochs: the smaller of a rise over the warm-up and a cosine over the whole run, down to 0.
        case crate
        /// Counted in whole epochs, two late, down to 0.
        case crateFineTuning = "crate_fine_tuning"
        /// Counted from the end of a warm-up from 0.005 of the base, down to 0.001 of it; every learning rate grows with the
        /// batch.
        case spark
        /// Counted in whole epochs, or in updates where the run's length is given so; every learning rate grows with the batch.
        case torch
    }

    public struct Settings: RecipeSection {
        public let minLR: Double
        public let form: Form

        public static let defaults = ["form": "simmim"]
        public static let meanings = [
            "min_lr": "Learning rate at the end of the cosine, at a global batch of lr_base_size.",
            "form": "Whose cosine. simmim: counted from the start of the run, one update late, layer decay leaves "
                + "warm-up start and minimum alone; mae: counted from the end of a warm-up from 0; deit: by whole "
                + "epochs, one late; crate: by whole epochs, the smaller of a rise over the warm-up and a cosine over "
                + "the run; crate_fine_tuning: by whole epochs, two late; spark: from 0.005 of base_lr to 0.001 of "
                + "it; torch: by whole epochs, or by updates where the run's length is given so. For mae, deit and crate "
                + "lr_base_size changes base_lr alone.",
        ]

        public func check(_ here: Here) {
            here.requireNotNegative(minLR, at: "min_lr")
            here.require(
                minLR == 0 || ![.crate, .crateFineTuning].contains(form), at: "min_lr", reading: ["form"],
                "the form '\(form.rawValue)' ends at 0")
        }
    }

    public static let kind = "cosine"

    public static func schedule(_ settings: Settings, _ frame: ScheduleFrame) -> any LearningRateSchedule {
        let minimum = settings.minLR
        return switch settings.form {
        case .simmim: SimMIMSchedule(frame, .cosine(minimum: minimum))
        case .mae: MAESchedule(frame, minimum: minimum)
        case .deit: DeiTSchedule(frame, minimum: minimum)
        case .crate: CRATESchedule(frame)
        case .crateFineTuning: CRATESchedule(frame, isFineTuning: true)
        case .spark: SparKSchedule(frame)
        case .torch: TorchSchedule(frame, .cosine(minimum: minimum))
        }
    }

    public static func check(_ settings: Settings, _ recipe: Recipe, _ here: Here) {
        let (schedule, form) = (recipe.schedule.shared, settings.form)
        // The rise of CRATE's may end after the run: the cosine is the smaller one then.
        if form != .crate { schedule.requireWarmupInside(here) }
        here.requireMinimum(settings.minLR, under: schedule)
        if [.deit, .crate, .crateFineTuning].contains(form) {
            here.require(
                schedule.updates == nil && schedule.warmupUpdates == nil, at: "form",
                reading: ["updates", "warmup_updates"],
                "the form '\(form.rawValue)' counts whole epochs; give the lengths in epochs")
        }
        if [.mae, .crate, .crateFineTuning].contains(form) {
            here.require(
                (schedule.warmupLR ?? 0) == 0, at: "warmup_lr", reading: ["form"],
                "the form '\(form.rawValue)' starts at 0")
        }
        here.require(
            form != .crateFineTuning || schedule.warmupEpochs == nil, at: "warmup_epochs", reading: ["form"],
            "the form '\(form.rawValue)' has no warm-up")
        if form == .spark {
            for (key, share, found) in [
                ("warmup_lr", 0.005, schedule.warmupLR), ("min_lr", 0.001, settings.minLR),
            ] {
                guard let found else { continue }
                let expected = schedule.baseLR * share
                here.require(
                    abs(found - expected) <= 1e-6 * expected, at: key, reading: ["form", "base_lr"],
                    "the form 'spark' takes \(share) of base_lr, \(expected), found \(found)")
            }
        }
    }
}

/// The cosine of facebookresearch/mae and SeiT++, in fractions of an epoch: from 0 over the warm-up, then from its end
/// down to `minimum`; the first update moves nothing. The base alone grows with the batch.
public struct MAESchedule: LearningRateSchedule {
    let frame: ScheduleFrame
    let minimum: Double

    public init(_ frame: ScheduleFrame, minimum: Double) {
        self.frame = frame
        self.minimum = minimum
    }

    public func learningRate(at update: Int, scale: Double) -> Double {
        // In updates, of which an epoch with a partial group has a broken number.
        func updates(_ microBatches: Int) -> Double { Double(microBatches) / Double(frame.clock.accumulation) }
        let position = updates(frame.clock.firstMicroBatch(of: update))
        let warmup = updates(frame.warmup.map { frame.clock.microBatches(in: $0) } ?? 0)
        if position < warmup { return scale * frame.base * position / warmup }
        let phase = (position - warmup) / (updates(frame.clock.microBatches(in: frame.length)) - warmup)
        return scale * (minimum + (frame.base - minimum) * halfCosine(phase))
    }
}

/// The cosine of keyu-tian/SparK, per update: from 0.005 of the base up over the warm-up, then down to 0.001 of it.
public struct SparKSchedule: LearningRateSchedule {
    let frame: ScheduleFrame

    public init(_ frame: ScheduleFrame) { self.frame = frame }

    public func learningRate(at update: Int, scale: Double) -> Double {
        let (position, warmup) = (Double(update), Double(frame.warmupUpdates))
        if position < warmup { return scale * frame.base * (0.005 + 0.995 * position / warmup) }
        let last = Double(frame.clock.updates(in: frame.length).count - 1)
        return scale * frame.base * (0.001 + 0.999 * halfCosine((position - warmup) / max(last - warmup, 1)))
    }
}

/// The cosine of DeiT and SeiT by whole epochs, one late: epochs 0 and 1 run at the warm-up's start. The base alone grows
/// with the batch.
public struct DeiTSchedule: LearningRateSchedule {
    let frame: ScheduleFrame
    let minimum: Double

    public init(_ frame: ScheduleFrame, minimum: Double) {
        self.frame = frame
        self.minimum = minimum
    }

    public func learningRate(at update: Int, scale: Double) -> Double {
        let (warmup, length) = frame.wholeEpochs
        let late = Double(max(frame.clock.epoch(of: update).count - 1, 0))
        if late < warmup { return scale * (frame.warmupStart + late * (frame.base - frame.warmupStart) / warmup) }
        return scale * (minimum + (frame.base - minimum) * halfCosine(late / length))
    }
}

/// The cosines of CRATE by whole epochs, down to 0. Supervised: the smaller of a linear rise and a cosine. Fine-tuning: a
/// cosine two epochs late, so that epochs 0 and 2 run at the base.
public struct CRATESchedule: LearningRateSchedule {
    let frame: ScheduleFrame
    let isFineTuning: Bool

    public init(_ frame: ScheduleFrame, isFineTuning: Bool = false) {
        self.frame = frame
        self.isFineTuning = isFineTuning
    }

    public func learningRate(at update: Int, scale: Double) -> Double {
        let (warmup, length) = frame.wholeEpochs
        let position = Double(frame.clock.epoch(of: update).count)
        if isFineTuning {
            return scale * (position == 0 ? frame.base : frame.base * halfCosine((position - 2) / length))
        }
        return scale * (frame.base * min((position + 1) / (warmup + 1e-8), halfCosine(position / length)))
    }
}
