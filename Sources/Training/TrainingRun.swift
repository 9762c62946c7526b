import Autodiff
import Batches
import Checkpoints
public import Cluster
public import Kernels
import Objectives
public import Platform
public import Recipes

/// A run in its folder: steps, log lines, checkpoints, signals, and the way back after an interruption. Rank 0 writes
/// and speaks; all ranks take every decision alike.
public final class TrainingRun {
    /// What the person at the terminal or the batch script asked for.
    public struct Options: Sendable {
        /// The run folder.
        public var folder: String
        public var resumes = false
        public var takesOver = false
        /// Recipe keys that may differ from those that the run was started with.
        public var allowedChanges: Set<String> = []
        public var watchdogSeconds = 600.0
        /// Number of the batch job, for the lock.
        public var job = ""
        public var library = ""
        /// Checksum of the running program: every rank must run the same.
        public var program = ""
        /// The recipe file as it was written, and the words that started the program: kept in the run folder.
        public var recipeText: [UInt8] = []
        public var command: [String] = []

        public init(folder: String) { self.folder = folder }
    }

    /// How a run ended without an error.
    public enum Outcome: Sendable, Equatable {
        case finished
        /// A signal stopped it; it is saved and can be resumed.
        case stopped
        /// It had been finished before.
        case wasFinished
    }

    private let trainer: Trainer
    private let loader: Loader
    private let sampler: Sampler
    private let communicator: any Communicator
    private let options: Options
    private let watchdog: Watchdog
    private let speaker: any RunSpeaker
    private let folder: RunFolder?
    private let fingerprint: DataFingerprint
    private let total: Int
    private var failedSaves = 0
    private var skippedInARow = 0
    private var lastSaved: Int

    /// Collective. Opens the data, builds the model, takes the run folder and restores the newest checkpoint if asked.
    public init(
        _ recipe: Recipe, _ options: Options, communicator: any Communicator, pool: WorkerPool, stop: StopRequest,
        speaker: any RunSpeaker
    ) throws {
        let (ranks, accumulation) = (communicator.size, recipe.batch.accumulation)
        guard recipe.batch.global % (ranks * accumulation) == 0 else {
            throw SharedError(
                TrainingError.batch(global: recipe.batch.global, ranks: ranks, accumulation: accumulation))
        }
        watchdog = Watchdog(communicator, deadlineSeconds: options.watchdogSeconds, stop: stop)
        let source = try communicator.together { try recipe.source(recipe.data.train) }
        fingerprint = DataFingerprint(source.fingerprint)
        try communicator.agree(
            on: [
                "program": options.program, "recipe": String(recipe.fingerprint, radix: 16),
                "data": source.fingerprint.description,
            ])
        sampler = try Sampler(
            count: source.count, globalBatch: recipe.batch.global, order: .shuffled(seed: recipe.seed),
            repetitions: recipe.batch.repeats)
        let total = recipe.totalUpdates(perEpoch: sampler.updatesPerEpoch)
        self.total = total
        let opened = try RunOpening(recipe, options, communicator, fingerprint: fingerprint, speaker: speaker)
        let experiment = try communicator.together {
            try Experiment(
                recipe, samples: recipe.batch.global / ranks / accumulation, classes: source.classes?.count ?? 0)
        }
        let start = opened.state?.iteration ?? 0
        loader = try Loader(
            source, sampler, BatchCut(rank: communicator.rank, ranks: ranks, accumulation: accumulation),
            recipe.loaderSettings(
                recipe.trainingTransform, hiding: experiment.objective.hiding,
                classes: experiment.batch.targets?.shape[1] ?? 0),
            updates: min(start, total)..<total)
        trainer = try Trainer(
            experiment, feed: loader, updatesPerEpoch: sampler.updatesPerEpoch, communicator: communicator, pool: pool,
            shouldStop: { stop.isSet }, announce: { [watchdog] in watchdog.enter($0, step: $1) })
        if let state = opened.state { try trainer.restore(opened.checkpoint, state, over: communicator) }
        folder = opened.folder
        try communicator.onRankZero { try opened.folder?.describe(options, communicator, pool, total: total) }
        lastSaved = start
        (self.options, self.communicator, self.speaker) = (options, communicator, speaker)
        speaker.say(
            "\(recipe.objective.kind) on \(source.name): \(source.count) images, "
                + "\(trainer.store.parameterCount) parameters, \(total) updates of \(recipe.batch.global) "
                + "on \(ranks) \(ranks == 1 ? "rank" : "ranks") x \(pool.threads) threads (\(pool.level))"
                + (start > 0 ? ", resumed after update \(start)" : ""))
        for remark in communicator.remarks { speaker.say(remark) }
    }

    /// Trains to the end of the recipe or until a signal asks to stop.
    public func run() throws -> Outcome {
        defer {
            loader.stop()
            watchdog.close()
        }
        if trainer.clock.step >= total { return .wasFinished }
        let every = trainer.recipe.checkpointUpdates(perEpoch: trainer.clock.updatesPerEpoch)
        var interval = LogInterval(trainer, loader)
        let slow = StepTimes(communicator)
        while trainer.clock.step < total {
            let waited = loader.waitSeconds + trainer.exchange.waitSeconds
            let begun = MonotonicTime.now
            let report = try trainer.step()
            let own = MonotonicTime.now - begun - (loader.waitSeconds + trainer.exchange.waitSeconds - waited)
            if let rank = try slow.note(seconds: own) { speaker.warn("\(rank)") }
            try note(report)
            let isLast = trainer.clock.step == total
            if interval.isDue(report.step, isLast: isLast) {
                try log(report, &interval)
            } else if report.mustStop || interval.isOverdue {
                // Shown and not written: the resumed run's file shall hold what an uninterrupted one's holds.
                speaker.show(interval.progress(interval.record(report, trainer, loader), total: total))
            }
            let isEnd = isLast || report.mustStop
            if isEnd || every.map({ report.step % $0 == 0 }) == true { try save(isEnd: isEnd) }
            if report.mustStop && !isLast { return .stopped }
        }
        return .finished
    }

    private func log(_ report: StepReport, _ interval: inout LogInterval) throws {
        // First of all: after a long halt the folder may be another run's.
        try folder?.beat(speaker)
        let record = interval.record(report, trainer, loader)
        folder?.log.write(record)
        speaker.show(interval.progress(record, total: total))
        for bad in loader.bad.takeReports() { speaker.warn("bad sample replaced: \(bad)") }
    }

    /// Counts skipped updates and keeps what is needed to find out why.
    private func note(_ report: StepReport) throws {
        guard report.isSkipped else {
            skippedInARow = 0
            return
        }
        skippedInARow += 1
        if let problem = report.problem {
            speaker.warnFromAnyRank(
                "rank \(communicator.rank): step \(report.step): the loss is not finite, first in \(problem)")
        }
        speaker.warn(
            "step \(report.step): the gradient is not finite; no weight was changed (\(skippedInARow) in a row)")
        folder?.capture(report, samples: sampler.draws(update: report.step - 1).map(\.sample))
        guard skippedInARow <= trainer.recipe.limits?.skippedUpdates ?? 0 else {
            throw SharedError(
                TrainingError.notFinite(
                    step: report.step, inARow: skippedInARow, firstOperation: report.problem))
        }
    }

    /// Writes a checkpoint on rank 0. A failed save does not end the run until too many in a row have failed, or until
    /// there is no later one.
    private func save(isEnd: Bool) throws {
        guard lastSaved != trainer.clock.step, trainer.recipe.checkpoint != nil else { return }
        watchdog.enter(.checkpoint, step: trainer.clock.step, deadlineSeconds: max(options.watchdogSeconds, 1800))
        var failure: String?
        try communicator.onRankZero {
            failure = try folder?.save(
                trainer, fingerprint: fingerprint, library: options.library, isEnd: isEnd, speaker)
        }
        // The verdict travels to every rank, so that all of them go on or none does.
        let heard = try communicator.broadcast(failure ?? "")
        failedSaves = heard.isEmpty ? 0 : failedSaves + 1
        lastSaved = heard.isEmpty ? trainer.clock.step : lastSaved
        let isTooMuch = isEnd || failedSaves > trainer.recipe.limits?.failedSaves ?? 0
        if !heard.isEmpty && isTooMuch { throw SharedError(TrainingError.cannotSave(heard, inARow: failedSaves)) }
    }
}

/// Who tells people what goes on: a terminal, a log file, a test.
public protocol RunSpeaker {
    /// Only rank 0 is heard.
    func say(_ line: String)
    func warn(_ line: String)
    /// A failure that only one rank knows of.
    func warnFromAnyRank(_ line: String)
    func show(_ progress: Progress)
}

extension DataFingerprint {
    init(_ fingerprint: Fingerprint) {
        self.init(
            hash: fingerprint.hash, counts: ["samples": fingerprint.count, "classes": fingerprint.classes])
    }
}
