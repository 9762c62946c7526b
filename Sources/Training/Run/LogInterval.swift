import Autodiff
import Batches
import Cluster
import Kernels
import Optimizers
import Recipes

/// The time between two log lines.
struct LogInterval {
    private let every: Int
    private let globalBatch: Int
    private var start = MonotonicTime.now
    private var startStep: Int
    private var dataWait: Double
    private var exchangeWait: Double
    private var rankSums: RankSums.Times
    private var secondsPerStep: Double?

    init(_ trainer: Trainer, _ loader: Loader) {
        every = trainer.recipe.log.everyUpdates
        globalBatch = trainer.recipe.batch.global
        startStep = trainer.clock.step
        dataWait = loader.waitSeconds
        exchangeWait = trainer.exchange.waitSeconds
        rankSums = trainer.rankSums.times
    }

    /// The first step speaks too: a person wants to see a sign of life.
    func isDue(_ step: Int, isLast: Bool) -> Bool { step % every == 0 || step == 1 || isLast }

    /// Between two due steps a person still wants to see that it goes on.
    var isOverdue: Bool { MonotonicTime.now - start > 10 }

    mutating func record(_ report: StepReport, _ trainer: Trainer, _ loader: Loader) -> StepRecord {
        let now = MonotonicTime.now
        let seconds = max(now - start, 1e-9)
        let steps = max(report.step - startStep, 1)
        let waits = (loader.waitSeconds, trainer.exchange.waitSeconds)
        secondsPerStep = seconds / Double(steps)
        let sums = trainer.rankSums.times
        let newSums = sums.count - rankSums.count
        let record = StepRecord(
            step: report.step, epoch: report.epoch, samples: trainer.clock.samplesSeen, loss: report.loss,
            rate: report.rate, gradientNorm: report.gradientNorm,
            imagesPerSecond: Double(steps * globalBatch) / seconds, dataWaitShare: (waits.0 - dataWait) / seconds,
            exchangeWaitShare: (waits.1 - exchangeWait) / seconds,
            rankSumSeconds: newSums > 0 ? (sums.seconds - rankSums.seconds) / Double(newSums) : nil)
        rankSums = sums
        (start, startStep, dataWait, exchangeWait) = (now, report.step, waits.0, waits.1)
        return record
    }

    /// Leaves time out that was no training.
    mutating func leaveOut(seconds: Double) { start += seconds }

    func progress(_ record: StepRecord, total: Int) -> Progress {
        Progress(
            step: record.step, total: total, epoch: record.epoch, loss: record.loss, rate: record.rate,
            imagesPerSecond: record.imagesPerSecond, secondsPerStep: secondsPerStep)
    }
}
