import Autodiff
import Kernels
import Optimizers
import Training

/// How a linear classifier over frozen features is trained, after the paper whose name it bears. Lengths hold for the
/// size of ImageNet-1k and shrink with the set; features come from the middle of the image, computed once, where both
/// papers crop and mirror at random at every epoch.
public enum ProbeProtocol: String, Sendable, CaseIterable {
    /// Batch norm without parameters, LARS, 90 epochs at batch 16384, 10 of them warm-up. Source: facebookresearch/mae,
    /// main_linprobe.py.
    case mae
    /// SGD with momentum, 12,500 updates at batch 1024; the class token of the last block or of the last four, alone or
    /// with the mean over the last block's patches. Source: facebookresearch/dinov2, eval/linear.py.
    case dinov2
    /// Softmax regression to its minimum by L-BFGS, all samples at once, at several penalties: what a linear classifier
    /// can read at most, whatever the learning rates. On whitened features, so that it converges.
    case logistic

    private static let imageNet = 1_281_167

    public var norm: FeatureNorm {
        switch self {
        case .mae: .batch
        case .logistic: .whitening
        // The reference's blocks go through the encoder's last norm; a block of another encoder has none.
        case .dinov2: .layer
        }
    }

    /// Features that are read of an encoder.
    /// - Parameter layer: the last block, from 1; nil takes the standard one.
    public func spec(layer: Int?, of encoder: EncoderOutputs) -> FeatureSpec {
        let last = layer ?? encoder.standardLayer
        return switch self {
        case .mae, .logistic: FeatureSpec(layer: last)
        case .dinov2:
            FeatureSpec(layer: last, layers: max(1, min(4, last)), pool: encoder.hasClassToken ? .both : .mean)
        }
    }

    /// The parts of the feature vector that classifiers of their own read.
    func choices(_ features: Features) -> [Range<Int>] {
        let all = 0..<features.width
        guard self == .dinov2, let last = features.pieces.last else { return [all] }
        let tokens = features.pieces.filter { $0.name.hasSuffix(FeaturePiece.classToken) }
        guard let token = tokens.last else { return unique([last.columns, all]) }
        return unique([
            token.columns, token.columns.lowerBound..<features.width, 0..<token.columns.upperBound, all,
        ])
    }

    private func unique(_ ranges: [Range<Int>]) -> [Range<Int>] {
        ranges.enumerated().filter { ranges.firstIndex(of: $0.element) == $0.offset }.map(\.element)
    }

    /// Values that the classifiers differ in, the better of equals first: learning rates at a batch of 256, or penalties. MAE's own rate
    /// is 0.1, those of DINOv2 end at 0.1; the larger ones make up for the shorter training on a smaller set.
    public var grid: [Double] {
        switch self {
        case .mae: [0.1, 0.3, 1, 3, 10, 30, 100, 300]
        case .dinov2:
            [1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1, 2]
        case .logistic: [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6]
        }
    }

    /// Name of the grid's numbers on a card.
    public var gridName: String {
        switch self {
        case .mae, .dinov2: "base_lr"
        case .logistic: "penalty"
        }
    }

    /// - Parameter samples: that are learned from.
    func training(_ samples: Int) -> HeadTraining {
        switch self {
        case .mae:
            // As many updates in an epoch as in the paper; the learning rates shrink with the batch.
            let batch = max(1, 16_384 * samples / Self.imageNet)
            let perEpoch = max(1, samples / batch)
            return .descent(
                Descent(
                    rule: .lars, batch: batch, updates: 90 * perEpoch,
                    schedule: MAESchedule(
                        ScheduleFrame(
                            base: 1, warmup: .epochs(Epochs(10)), length: .epochs(Epochs(90)),
                            clock: EpochClock(updates: perEpoch)), minimum: 0)))
        case .dinov2:
            // A tenth at least: ten epochs of a small set would be a few hundred updates.
            let updates = max(1_250, min(12_500, 12_500 * samples / Self.imageNet))
            return .descent(
                Descent(
                    rule: .sgd, batch: min(1024, samples), updates: updates,
                    schedule: TorchSchedule(
                        ScheduleFrame(base: 1, length: .updates(Updates(updates)), clock: EpochClock(updates: 1)),
                        .cosine(minimum: 0))))
        case .logistic: return .minimum(mostPasses: 300)
        }
    }

    /// Start of the weights.
    var start: Initializer {
        switch self {
        case .mae: .truncatedNormal(std: 0.01, cut: 2)
        case .dinov2: .normal(std: 0.01)
        case .logistic: .zeros
        }
    }
}

/// How classifiers learn.
enum HeadTraining: Sendable {
    case descent(Descent)
    /// Softmax regression by L-BFGS, at most so many passes over the samples.
    case minimum(mostPasses: Int)

    /// Updates or passes.
    var length: Int {
        switch self {
        case .descent(let descent): descent.updates
        case .minimum(let mostPasses): mostPasses
        }
    }
}

/// Descent by batches.
struct Descent: Sendable {
    let rule: HeadRule
    /// Samples of an update.
    let batch: Int
    let updates: Int
    let schedule: any LearningRateSchedule

    /// Factor on a base learning rate at an update, from 0.
    func factor(at update: Int) -> Double { Double(batch) / 256 * schedule.learningRate(at: update) }
}
