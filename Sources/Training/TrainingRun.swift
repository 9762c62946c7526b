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
        /// What a new run begins with; nil for the start values of the model.
        public var start: StartingWeights?
        /// Score the test set when the run is finished, also when it was before.
        public var testsAtEnd = false

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
    private let pool: WorkerPool
    private let stop: StopRequest
    private let speaker: any RunSpeaker
    private let folder: RunFolder?
    private let fingerprint: DataFingerprint
    private let total: Int
    private let test: (any SampleSource)?
    private let evaluation: ClassifierEvaluation?
    private var evaluations: Evaluations?
    /// Where the weights began, for the state of the run.
    private let startPath: String?
    /// What the test set says of the weights of a finished run, if it was asked.
    public private(set) var results: [TestResult] = []
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
        let sets = try communicator.together { try TrainingSets(recipe) }
        let source = sets.train
        fingerprint = DataFingerprint(source.fingerprint)
        try communicator.agree(
            on: [
                "program": options.program, "recipe": String(recipe.fingerprint, radix: 16),
                "data": source.fingerprint.description,
            ])
        sampler = try recipe.sampler(of: source)
        total = recipe.totalUpdates(perEpoch: sampler.updatesPerEpoch)
        let opened = try RunOpening(recipe, options, communicator, fingerprint: fingerprint, speaker: speaker)
        let samples = recipe.batch.global / ranks / accumulation
        let experiment = try communicator.together {
            try Experiment(recipe, samples: samples, classes: source.classes?.count ?? 0)
        }
        let start = opened.state?.iteration ?? 0
        loader = try Loader(
            source, sampler, BatchCut(rank: communicator.rank, ranks: ranks, accumulation: accumulation),
            recipe.trainingSettings(experiment.objective, experiment.batch), updates: min(start, total)..<total)
        let trainer = try Trainer(
            experiment, feed: loader, updatesPerEpoch: sampler.updatesPerEpoch, communicator: communicator, pool: pool,
            shouldStop: { stop.isSet }, announce: { [watchdog] in watchdog.enter($0, step: $1) })
        speaker.say(
            "\(recipe.objective.kind) on \(source.name): \(source.count) images, "
                + "\(trainer.store.parameterCount) parameters, \(total) updates of \(recipe.batch.global) "
                + "on \(ranks) \(ranks == 1 ? "rank" : "ranks") x \(pool.threads) threads (\(pool.level))"
                + (start > 0 ? ", resumed after update \(start)" : ""))
        if source.count < recipe.batch.global {
            speaker.say(
                "\(source.count) images fill a batch of \(recipe.batch.global) by coming several times, each "
                    + "time with crops of their own; such a batch is an epoch")
        }
        if let state = opened.state {
            try trainer.restore(opened.checkpoint, state, over: communicator)
            startPath = state.extra["start/path"]?.string
        } else if let weights = options.start {
            try trainer.begin(with: weights, over: communicator)?.lines.forEach { speaker.say($0) }
            startPath = weights.path
        } else {
            startPath = nil
        }
        evaluations = recipe.evaluation.map { Evaluations($0, perEpoch: trainer.clock.updatesPerEpoch) }
        if let state = opened.state { evaluations?.restore(state.extra) }
        evaluation = try sets.evaluation.flatMap { set in
            try recipe.evaluation.map {
                try ClassifierEvaluation(
                    recipe, set.atMost($0.images, seed: recipe.seed), samples: $0.batch ?? samples,
                    store: trainer.store, communicator: communicator, pool: pool)
            }
        }
        test = sets.test
        self.trainer = trainer
        folder = opened.folder
        try communicator.onRankZero { try opened.folder?.describe(options, communicator, pool) }
        lastSaved = start
        (self.options, self.communicator, self.speaker, self.stop) = (options, communicator, speaker, stop)
        self.pool = pool
        for remark in communicator.remarks { speaker.say(remark) }
    }

    /// Trains to the end of the recipe or until a signal asks to stop.
    public func run() throws -> Outcome {
        defer {
            loader.stop()
            watchdog.close()
        }
        let outcome = try train()
        guard options.testsAtEnd, outcome != .stopped else { return outcome }
        return try testWeights() ? outcome : .stopped
    }

    private func train() throws -> Outcome {
        var interval = LogInterval(trainer, loader)
        let start = trainer.clock.step
        let isFinished = start >= total
        // Stopped between a step and its evaluation.
        if start > 0, evaluations?.isDue(start, isLast: isFinished) == true {
            guard let isBest = try evaluate(&interval) else { return .stopped }
            if isBest { try save(isEnd: isFinished, again: true) }
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

    private func log(_ report: StepReport, _ interval: inout LogInterval) throws {
        // First of all: after a long halt the folder may be another run's.
        try folder?.beat(speaker)
        let record = interval.record(report, trainer, loader)
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
        try communicator.onRankZero {
            var extra = evaluations?.state ?? [:]
            if let startPath { extra["start/path"] = .string(startPath) }
            failure = try folder?.save(
                trainer, fingerprint: fingerprint, library: options.library, extra: extra,
                keeping: evaluations?.best?.step, isEnd: isEnd, speaker)
        }
        // The verdict travels to every rank, so that all of them go on or none does.
        let heard = try communicator.broadcast(failure ?? "")
        failedSaves = heard.isEmpty ? 0 : failedSaves + 1
        lastSaved = heard.isEmpty ? trainer.clock.step : lastSaved
        let isTooMuch = isEnd || failedSaves > trainer.recipe.limits?.failedSaves ?? 0
        if !heard.isEmpty && isTooMuch { throw SharedError(TrainingError.cannotSave(heard, inARow: failedSaves)) }
    }

    // MARK: Evaluation

    /// Scores the weights of this step, and those averaged until now.
    /// - Returns: whether they are the best so far; nil when a rank was asked to stop.
    private func evaluate(_ interval: inout LogInterval) throws -> Bool? {
        guard let evaluation else { return false }
        let (step, begun) = (trainer.clock.step, MonotonicTime.now)
        defer { interval.leaveOut(seconds: MonotonicTime.now - begun) }
        guard let last = try scores(evaluation) else { return nil }
        let averaged = try trainer.withAverage { try scores(evaluation) }
        if case .some(.none) = averaged { return nil }
        let isBest = evaluations?.note(step: step, last, averaged: averaged ?? nil) ?? false
        var measures = last.measures
        if let averaged = averaged ?? nil {
            measures += averaged.measures.map { .init("average_" + $0.name, $0.value) }
        }
        folder?.log.write("evaluation", step: step, measures)
        let text = (averaged ?? nil).map { ", averaged \($0.text)" } ?? ""
        speaker.say("evaluation of step \(step): \(last.text)\(text); \(evaluations?.bestText ?? "")")
        return isBest
    }

    private func scores(_ evaluation: ClassifierEvaluation) throws -> Scores? {
        let step = trainer.clock.step
        var meter = EvaluationMeter(evaluation.source.name)
        return try evaluation.scores(
            shouldStop: {
                watchdog.enter(.evaluation, step: step)
                return stop.isSet
            },
            progress: { done, total in meter.line(done, of: total).map { speaker.show($0) } },
            badSample: { speaker.warn($0) })
    }

    /// What the test set says of the last weights, those averaged, and those of the best step.
    /// - Returns: false when a rank was asked to stop.
    private func testWeights() throws -> Bool {
        guard let test else { return true }
        let recipe = trainer.recipe
        let evaluation = try ClassifierEvaluation(
            recipe, test, samples: recipe.evaluation?.batch ?? trainer.samples, store: trainer.store,
            communicator: communicator, pool: pool)
        let last = trainer.clock.step
        func note(_ kind: TestResult.Weights, step: Int, _ scores: Scores?) -> Bool {
            guard let scores else { return false }
            results.append(TestResult(weights: kind, step: step, isAveraged: kind == .averaged, scores: scores))
            return true
        }
        guard note(.last, step: last, try scores(evaluation)) else { return false }
        if let averaged = try trainer.withAverage({ try scores(evaluation) }) {
            guard note(.averaged, step: last, averaged) else { return false }
        }
        guard let best = evaluations?.best, recipe.checkpoint != nil else { return true }
        var scored = results.first { $0.step == best.step && $0.isAveraged == best.isAveraged }?.scores
        if scored == nil {
            try trainer.takeWeights(
                ofStep: best.step, averaged: best.isAveraged, in: options.folder, over: communicator)
            scored = try scores(evaluation)
        }
        guard let scored else { return false }
        results.append(TestResult(weights: .best, step: best.step, isAveraged: best.isAveraged, scores: scored))
        return true
    }
}

/// Who tells people what goes on: a terminal, a log file, a test.
public protocol RunSpeaker {
    /// Only rank 0 is heard.
    func say(_ line: String)
    func warn(_ line: String)
    /// A failure that only one rank knows of.
    func warnFromAnyRank(_ line: String)
    /// A line that the next one may take the place of.
    func show(_ line: String)
}

extension DataFingerprint {
    init(_ fingerprint: Fingerprint) {
        self.init(
            hash: fingerprint.hash, counts: ["samples": fingerprint.count, "classes": fingerprint.classes])
    }
}
