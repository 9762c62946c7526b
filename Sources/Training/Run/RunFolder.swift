import Autodiff
import Checkpoints
import Cluster
import FoundationEssentials
import Kernels
import Messages
import Objectives
import Optimizers
import Platform
import Recipes

/// The folder of a run, held by rank 0: `recipe.yaml`, `resolved.yaml`, `environment.json`, `metrics.jsonl`, event
/// files, `checkpoints/`, `captures/`, `LOCK`.
final class RunFolder {
    let path: String
    let log: RunLog
    private let lock: RunLock
    private let checkpoints: CheckpointStore
    private let resolved: [UInt8]
    private let recipeKeys: [String: String]
    private var lastBeat = MonotonicTime.now

    init(
        _ recipe: Recipe, lock: RunLock, checkpoints: CheckpointStore, resumed: RunLog.Position?,
        speaker: any RunSpeaker
    ) throws {
        path = lock.folder.path
        self.lock = lock
        self.checkpoints = checkpoints
        resolved = Array(recipe.text(showingOrigins: false).utf8)
        recipeKeys = recipe.keys
        log = RunLog(folder: path, resumed: resumed) { speaker.warn($0) }
        try write(resolved, to: "resolved.yaml")
    }

    /// Writes down where and how the run was started last.
    /// - Parameter total: updates of the whole run.
    func describe(
        _ options: TrainingRun.Options, _ communicator: any Communicator, _ pool: WorkerPool, total: Int
    ) throws {
        if !options.recipeText.isEmpty { try write(options.recipeText, to: "recipe.yaml") }
        let environment: JSON.Members = [
            "version": .string(options.library), "command": .array(options.command.map(JSON.string)),
            "ranks": .integer(communicator.size), "hosts": .array(communicator.hosts.map(JSON.string)),
            "threads": .integer(pool.threads), "level": .string("\(pool.level)"), "job": .string(options.job),
            "process": .integer(ProcessIdentity.current.pid), "resumes": .bool(options.resumes),
            "updates": .integer(total),
            "from": options.start.map { .string($0.path) } ?? .null,
        ]
        try write(Array((JSON.object(environment).text + "\n").utf8), to: "environment.json")
    }

    /// Gives the folder up, however the run ended.
    deinit { try? lock.release() }

    /// - Parameters:
    ///   - gathered: from the trainer's `gather`.
    ///   - extra: what the run's state holds besides.
    ///   - best: the step whose checkpoint stays, however old it grows.
    ///   - isEnd: no step follows.
    /// - Returns: the reason when the checkpoint could not be written; the older ones stand.
    func save(
        _ trainer: Trainer, _ gathered: [StoredTensor], fingerprint: DataFingerprint, library: String,
        extra: [String: JSON],
        keeping best: Int?, isEnd: Bool, _ speaker: any RunSpeaker
    ) throws(CheckpointError) -> String? {
        // Nothing is written into a folder that another run has taken over.
        try checkOwner(speaker)
        let clock = trainer.clock
        let position = log.position
        let state = RunState(
            iteration: clock.step, epoch: clock.epoch, updates: clock.updates, samplesSeen: clock.samplesSeen,
            seeds: trainer.recipe.seeds, recipe: recipeKeys, data: fingerprint,
            trainableNames: trainer.store.trainableSlots.count, metricsBytes: position.bytes, library: library,
            extra: extra.merging(trainer.extraState) { own, _ in own }.merging([
                "log/seconds": .number(position.seconds)
            ]) { own, _ in own })
        let content = CheckpointContent(
            state: state, tensors: trainer.tensors(with: gathered), attachments: ["resolved.yaml": resolved])
        switch checkpoints.save(content, keeping: best) {
        case .saved(_, _, let failures, _):
            for failure in failures { speaker.warn("checkpoint, tried again: \(failure)") }
            return nil
        case .failed(let errors):
            let reason = errors.last.map { "\($0)" } ?? "unknown"
            speaker.warn(
                "checkpoint of step \(clock.step) not written, \(isEnd ? "" : "training goes on, ")"
                    + "the older ones stand: \(reason)")
            return reason
        }
    }

    /// Says once a minute that this run lives. That another run owns the folder is an error; that the disk refuses is
    /// not, as long as the lock stands.
    func beat(_ speaker: any RunSpeaker) throws(CheckpointError) {
        guard MonotonicTime.now - lastBeat > 60 else { return }
        try checkOwner(speaker)
    }

    private func checkOwner(_ speaker: any RunSpeaker) throws(CheckpointError) {
        lastBeat = MonotonicTime.now
        do { try lock.beat() } catch  where error.reason != .locked { speaker.warn("\(error)") }
    }

    /// What was going on when a gradient was not finite.
    /// - Parameter samples: the global batch, in its order.
    func capture(_ report: StepReport, samples: [Int]) {
        let folder = Folder(path + "/captures")
        let text = """
            {"step": \(report.step), "epoch": \(report.epoch), "loss": "\(report.loss)", \
            "operation": "\(report.problem ?? "on another rank, or in backward")", "samples": \(samples)}

            """
        do {
            try folder.create()
            try write(Array(text.utf8), to: "captures/step-\(report.step).json")
        } catch { log.write("capture_failed", step: report.step, []) }
    }

    private func write(_ bytes: [UInt8], to name: String) throws(FileError) {
        let file = try OutputFile(replacing: path + "/" + name)
        try file.write(bytes)
        try file.commit()
    }
}

/// What all ranks learn when a run's folder is opened: where it continues, if it does.
struct RunOpening {
    /// On rank 0 only.
    private(set) var folder: RunFolder?
    private(set) var checkpoint: Checkpoint?
    /// Where the run continues; nil for a new one. The same on every rank.
    let state: RunState?

    /// Collective.
    init(
        _ recipe: Recipe, _ options: TrainingRun.Options, _ communicator: any Communicator,
        fingerprint: DataFingerprint, speaker: any RunSpeaker
    ) throws {
        var found: (folder: RunFolder, checkpoint: Checkpoint?)?
        try communicator.onRankZero {
            found = try Self.open(recipe, options, fingerprint: fingerprint, speaker: speaker)
        }
        (folder, checkpoint) = (found?.folder, found?.checkpoint)
        let text = try communicator.broadcast(checkpoint.map { try Self.text(of: $0.state) } ?? "")
        state = text.isEmpty ? nil : try JSONDecoder().decode(RunState.self, from: Data(text.utf8))
    }

    private static func text(of state: RunState) throws -> String {
        String(decoding: try JSON.encoded(state), as: UTF8.self)
    }

    /// What its run said of itself when it was started last; nil for a folder that no run has begun in.
    private static func environment(of run: String) -> JSON? {
        let bytes = try? InputFile.contents(run + "/environment.json", limit: 1 << 20).array
        return bytes.flatMap { try? JSON(String(decoding: $0, as: UTF8.self)) }
    }

    private static func open(
        _ recipe: Recipe, _ options: TrainingRun.Options, fingerprint: DataFingerprint, speaker: any RunSpeaker
    ) throws -> (RunFolder, Checkpoint?) {
        let lock = try RunLock(options.folder, job: options.job, takeover: options.takesOver)
        var isKept = false
        defer { if !isKept { try? lock.release() } }
        if let previous = lock.previous { speaker.say("\(options.folder): its last owner is gone (\(previous))") }
        let store = CheckpointStore(
            options.folder + "/checkpoints", keepLast: recipe.checkpoint?.keepLast ?? 1,
            permanentEvery: recipe.checkpoint?.keepEveryUpdates)
        try store.removeJunk(olderThan: lock) { path, removed in
            speaker.say("\(path): left over from an interrupted save\(removed ? ", removed" : "")")
        }
        guard options.resumes else {
            if try !store.steps().isEmpty { throw TrainingError.alreadyStarted(options.folder) }
            let folder = try RunFolder(
                recipe, lock: lock, checkpoints: store, resumed: nil, speaker: speaker)
            isKept = true
            return (folder, nil)
        }
        let checkpoint = try store.newestValid { rejected in
            speaker.warn("checkpoint of step \(rejected.step) is damaged, taking an older one: \(rejected.error)")
        }
        let position = try checkpoint.map { try continued($0, recipe, options, fingerprint, speaker) }
        if position == nil {
            if let last = environment(of: options.folder) {
                let (before, now) = (last["from"]?.string, options.start?.path)
                if before != now { throw TrainingError.otherStart(before: before, now: now) }
            }
            speaker.say("\(options.folder): no checkpoint yet, starting from the beginning")
        }
        let folder = try RunFolder(recipe, lock: lock, checkpoints: store, resumed: position, speaker: speaker)
        isKept = true
        return (folder, checkpoint)
    }

    /// Where the log of a saved run goes on, if this recipe may continue it.
    private static func continued(
        _ checkpoint: Checkpoint, _ recipe: Recipe, _ options: TrainingRun.Options, _ fingerprint: DataFingerprint,
        _ speaker: any RunSpeaker
    ) throws -> RunLog.Position {
        var state = checkpoint.state
        state.recipe = try Recipe.keys(of: checkpoint)
        let changes = try state.acceptChanges(to: recipe.keys, safe: Recipe.safeKeys, allowed: options.allowedChanges)
        for change in changes { speaker.say("recipe changed: \(change)") }
        try state.data.check(now: fingerprint)
        let before = state.extra["start/path"]?.string
        if let now = options.start?.path, before != now { throw TrainingError.otherStart(before: before, now: now) }
        return RunLog.Position(
            bytes: state.metricsBytes, seconds: state.extra["log/seconds"]?.number ?? 0, step: state.iteration)
    }
}

extension Recipe {
    /// Seeds by purpose, as a checkpoint keeps them.
    var seeds: [String: UInt64] {
        var seeds = ["run": seed]
        if has(NoiseStage.key) { seeds["grad_noise"] = noiseSeed }
        if let noise = data.labelNoise { seeds["label_noise"] = noise.seed }
        return seeds
    }
}
