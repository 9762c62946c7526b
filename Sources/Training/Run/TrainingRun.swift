import Autodiff
import Batches
import Checkpoints
public import Cluster
public import Kernels
import Messages
import Objectives
import Optimizers
public import Platform
public import Recipes

/// A run in its folder: steps, log lines, checkpoints, signals, and the way back after an interruption. Rank 0 writes
/// and speaks; all ranks take every decision alike.
public final class TrainingRun {
    /// How a run ended without an error.
    public enum Outcome: Sendable, Equatable {
        case finished
        /// A signal stopped it; it is saved and can be resumed.
        case stopped
        /// It had been finished before.
        case wasFinished
    }

    public let sets: TrainingSets
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
    /// Nil for a method that gives no class scores.
    private let evaluations: RunEvaluations?
    /// Where the weights began, for the state of the run.
    private let start: [String: JSON]
    /// What the test set says of the weights of a finished run, if it was asked.
    public private(set) var results: [TestResult] = []
    /// The file that the weights began with; known on rank 0.
    public var startFile: String? { start["start/file"]?.string }
    private var failedSaves = 0
    private var skippedInARow = 0
    private var lastSaved: Int

    /// Collective. Opens the data, builds the model, takes the run folder and restores the newest checkpoint if asked.
    public init(
        _ recipe: Recipe, _ options: Options, communicator: any Communicator, pool: WorkerPool, stop: StopRequest,
        speaker: any RunSpeaker
    ) throws {
        let samples: Int
        do { samples = try recipe.microBatch(ranks: communicator.size) } catch { throw SharedError(error) }
        watchdog = Watchdog(communicator, deadlineSeconds: options.watchdogSeconds, stop: stop)
        sets = try communicator.together { try TrainingSets(recipe) }
        let source = sets.train
        fingerprint = DataFingerprint(
            hash: source.fingerprint.hash,
            counts: ["samples": source.fingerprint.count, "classes": source.fingerprint.classes])
        try communicator.agree(
            on: [
                "program": options.program, "recipe": String(RunState.hash(of: recipe.keys), radix: 16),
                "data": source.fingerprint.description,
            ])
        sampler = try recipe.sampler(of: source)
        let opened = try RunOpening(recipe, options, communicator, fingerprint: fingerprint, speaker: speaker)
        let experiment = try communicator.together {
            try Experiment(
                recipe, samples: samples, classes: source.classes?.count ?? 0, training: communicator.rank)
        }
        let total = recipe.totalUpdates(perEpoch: sampler.updatesPerEpoch) * experiment.objective.networks
        self.total = total
        let first = opened.state?.iteration ?? 0
        loader = try Loader(
            source, sampler,
            BatchCut(rank: communicator.rank, ranks: communicator.size, accumulation: recipe.batch.gradAccumSteps),
            recipe.trainingSettings(experiment.objective, experiment.batch, of: source),
            updates: min(first, total)..<total)
        let feed = try experiment.objective.feed(loader, experiment.batch, recipe, source.tokens, pool: pool)
        let trainer = try Trainer(
            experiment, feed: feed, updatesPerEpoch: sampler.updatesPerEpoch, source: source,
            communicator: communicator, pool: pool, shouldStop: { stop.isSet },
            announce: { [watchdog] in watchdog.enter($0, step: $1) })
        feed.describe(in: trainer.store)
        try trainer.networks[0].noise?.checkExclude()
        if first == 0, let warning = trainer.networks[0].noise?.warning(trainer.clip) { speaker.warn(warning) }
        Self.introduce(trainer, source, ranks: communicator.size, updates: first..<max(first, total), speaker)
        folder = opened.folder
        try communicator.onRankZero { try opened.folder?.describe(options, communicator, pool, total: total) }
        start = try Self.start(trainer, opened, options, source.tokens?.codebook.name, communicator, speaker)
        let shouldStop = { [watchdog] in
            watchdog.enter(.evaluation, step: trainer.clock.step)
            return stop.isSet
        }
        evaluations =
            recipe.kind != .finetune
            ? nil
            : try RunEvaluations(
                trainer, sets, state: opened.state, communicator: communicator, pool: pool, speaker: speaker,
                shouldStop: shouldStop)
        lastSaved = first
        (self.trainer, self.options) = (trainer, options)
        (self.communicator, self.speaker) = (communicator, speaker)
        for remark in communicator.remarks { speaker.say(remark) }
    }

    /// Says what is trained on what.
    private static func introduce(
        _ trainer: Trainer, _ source: any SampleSource, ranks: Int, updates: Range<Int>, _ speaker: any RunSpeaker
    ) {
        let (recipe, pool) = (trainer.recipe, trainer.pool)
        speaker.say(
            "\(recipe.objective.kind) on \(source.name): \(source.count) images, "
                + "\(trainer.store.parameterCount) parameters, \(updates.upperBound) updates of \(recipe.batch.global) "
                + "on \(ranks) \(ranks == 1 ? "rank" : "ranks") x \(pool.threads) threads (\(pool.level))"
                + (updates.lowerBound > 0 ? ", resumed after update \(updates.lowerBound)" : ""))
        if source.count < recipe.batch.global {
            speaker.say(
                "\(source.count) images fill a batch of \(recipe.batch.global) by coming several times, each time with "
                    + "a crop of its own; one batch is an epoch")
        }
        for remark in trainer.hooks.flatMap(\.remarks) { speaker.say(remark) }
    }

    /// Gives the trainer its weights: those of the checkpoint, or those that the run begins with.
    /// - Returns: where they began, for the state of the run.
    private static func start(
        _ trainer: Trainer, _ opened: RunOpening, _ options: Options, _ codebook: String?,
        _ communicator: any Communicator, _ speaker: any RunSpeaker
    ) throws -> [String: JSON] {
        if let state = opened.state {
            let names = trainer.store.trainableSlots.count
            if trainer.networks[0].noise != nil, state.trainableNames != names {
                speaker.warn(
                    "\(names) parameters are trained, \(state.trainableNames) when the run was saved: gradient noise goes on "
                        + "with other numbers of the same law")
            }
            try trainer.check(state)
            try trainer.restore(opened.checkpoint, state, over: communicator)
            return state.extra.filter { $0.key.hasPrefix("start/") }
        }
        let ids = codebook.map { [StartingWeights.codebookKey: JSON.string($0)] } ?? [:]
        guard let weights = options.start else { return ids }
        try communicator.onRankZero { try weights.checkCodebook(codebook) }
        let report = try trainer.begin(with: weights, over: communicator)
        report?.lines.forEach { speaker.say($0) }
        return ids.merging(
            ["start/path": .string(weights.path), "start/file": .string(report?.place ?? "")]) { own, _ in own }
    }

    /// Trains to the end of the recipe or until a signal asks to stop.
    public func run() throws -> Outcome {
        defer {
            loader.stop()
            watchdog.close()
        }
        let outcome = try train()
        guard let evaluations, options.testsAtEnd, outcome != .stopped else { return outcome }
        guard let results = try evaluations.test(in: options.folder) else { return .stopped }
        self.results = results
        return outcome
    }

    private func train() throws -> Outcome {
        var interval = LogInterval(trainer, loader)
        let start = trainer.clock.step
        let isFinished = start >= total
        // Stopped between a step and its evaluation.
        if start > 0, evaluations?.isDue(start, isLast: isFinished) == true {
            guard let isBest = try evaluate(&interval) else { return .stopped }
            if isBest || isFinished { try save(isEnd: isFinished, again: true) }
        }
        if isFinished { return .wasFinished }
        let every = trainer.recipe.checkpointUpdates(perEpoch: trainer.clock.updatesPerEpoch)
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
                speaker.show(interval.progress(interval.record(report, trainer, loader), total: total).line)
            }
            var (mustStop, isBest) = (report.mustStop && !isLast, false)
            if evaluations?.isDue(report.step, isLast: isLast) == true {
                let verdict = report.mustStop ? nil : try evaluate(&interval)
                (mustStop, isBest) = (verdict == nil, verdict == true)
            }
            let isEnd = isLast || mustStop
            if isEnd || isBest || every.map({ report.step % $0 == 0 }) == true { try save(isEnd: isEnd) }
            if mustStop { return .stopped }
        }
        return .finished
    }

    /// - Returns: whether this step is the best so far; nil when a rank was asked to stop.
    private func evaluate(_ interval: inout LogInterval) throws -> Bool? {
        let begun = MonotonicTime.now
        defer { interval.leaveOut(seconds: MonotonicTime.now - begun) }
        return try evaluations?.evaluate(folder?.log)
    }

    private func log(_ report: StepReport, _ interval: inout LogInterval) throws {
        // First of all: after a long halt the folder may be another run's.
        try folder?.beat(speaker)
        var record = interval.record(report, trainer, loader)
        record.measures += try trainer.takeMeasures()
        for warning in trainer.hooks.compactMap({ $0.takeWarning() }) { speaker.warn(warning) }
        folder?.log.write(record)
        speaker.show(interval.progress(record, total: total).line)
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
    /// - Parameter again: the step is saved already, but with less in its state.
    private func save(isEnd: Bool, again: Bool = false) throws {
        guard again || lastSaved != trainer.clock.step, trainer.recipe.checkpoint != nil else { return }
        watchdog.enter(.checkpoint, step: trainer.clock.step, deadlineSeconds: max(options.watchdogSeconds, 1800))
        var failure: String?
        let gathered = try trainer.gather()
        try communicator.onRankZero {
            failure = try folder?.save(
                trainer, gathered, fingerprint: fingerprint, library: options.library,
                extra: start.merging(evaluations?.steps?.state ?? [:]) { own, _ in own },
                keeping: evaluations?.steps?.best?.step, isEnd: isEnd, speaker)
        }
        // The verdict travels to every rank, so that all of them go on or none does.
        let heard = try communicator.broadcast(failure ?? "")
        failedSaves = heard.isEmpty ? 0 : failedSaves + 1
        lastSaved = heard.isEmpty ? trainer.clock.step : lastSaved
        let isTooMuch = isEnd || failedSaves > trainer.recipe.limits?.failedSaves ?? 0
        if !heard.isEmpty && isTooMuch { throw SharedError(TrainingError.cannotSave(heard, inARow: failedSaves)) }
    }
}

extension TrainingRun {
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
        /// What a new run begins with; nil for the start values of the model.
        public var start: StartingWeights?
        /// Score the test set when the run is finished, also when it was before.
        public var testsAtEnd = false

        public init(folder: String) { self.folder = folder }
    }
}
