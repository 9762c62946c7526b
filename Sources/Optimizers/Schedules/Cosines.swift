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
