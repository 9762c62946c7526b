import Glibc

/// Curves of torch.optim.lr_scheduler by whole epochs, stepped at the end of an epoch as ELR, guidance and most codes do:
/// the first update of an epoch has that epoch's learning rate. Before a step schedule may come a linear warm-up over
/// updates: update t of W runs at `start + t·(base - start)/W`. Every learning rate grows with the batch.
public struct TorchSchedule: LearningRateSchedule {
    public enum Shape: Sendable, Equatable {
        /// MultiStepLR: times `gamma` at each milestone.
        case multistep(milestones: [Epochs], gamma: Double)
        /// StepLR: times `gamma` every `period`.
        case step(period: Epochs, gamma: Double)
        /// CosineAnnealingLR down to `minimum` over the run, by epochs or updates, as its length is given; past its end it
        /// climbs again.
        case cosine(minimum: Double)
        /// CosineAnnealingWarmRestarts: a cosine down to `minimum` that begins again every `period`.
        case warmRestarts(minimum: Double, period: Epochs)
    }

    let frame: ScheduleFrame
    let shape: Shape

    public init(_ frame: ScheduleFrame, _ shape: Shape) {
        self.frame = frame
        self.shape = shape
    }

    public func learningRate(at update: Int, scale: Double) -> Double {
        let (base, warmup) = (frame.base, frame.warmupUpdates)
        if update < warmup {
            let start = frame.warmupStart * frame.batchFactor
            return scale * (start + Double(update) * (base - start) / Double(warmup))
        }
        let epoch = frame.clock.epoch(of: update).count
        switch shape {
        case .multistep(let milestones, let gamma):
            return scale * (base * pow(gamma, Double(milestones.count { $0.count <= epoch })))
        case .step(let period, let gamma):
            return scale * (base * pow(gamma, Double(epoch / period.count)))
        case .cosine(let minimum):
            let phase =
                switch frame.length {
                case .epochs(let epochs): Double(epoch) / Double(epochs.count)
                case .updates(let updates): Double(update) / Double(updates.count)
                }
            return scale * cosine(down: minimum, phase)
        case .warmRestarts(let minimum, let period):
            return scale * cosine(down: minimum, Double(epoch % period.count) / Double(period.count))
        }
    }

    private func cosine(down minimum: Double, _ phase: Double) -> Double {
        let minimum = minimum * frame.batchFactor
        return minimum + (frame.base - minimum) * halfCosine(phase)
    }
}
