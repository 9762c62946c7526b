import FoundationEssentials
public import Batches
import Messages
public import Objectives
import Platform

/// What one log interval reports. The first group depends on the recipe alone; the second on the machine.
public struct StepRecord: Sendable, Equatable {
    public var step, epoch, samples: Int
    public var loss, rate, gradientNorm: Double
    /// Further numbers of the objective, in a fixed order.
    public var measures: [Measure]
    public var imagesPerSecond: Double
    /// Shares of the interval spent waiting, 0...1.
    public var dataWaitShare, exchangeWaitShare: Double
    /// Mean of the small sums over ranks inside a step, those of batch norm; nil where there are none.
    public var rankSumSeconds: Double?

    public init(
        step: Int, epoch: Int, samples: Int, loss: Double, rate: Double, gradientNorm: Double,
        measures: [Measure] = [], imagesPerSecond: Double = 0, dataWaitShare: Double = 0,
        exchangeWaitShare: Double = 0, rankSumSeconds: Double? = nil
    ) {
        self.step = step
        self.epoch = epoch
        self.samples = samples
        self.loss = loss
        self.rate = rate
        self.gradientNorm = gradientNorm
        self.measures = measures
        self.imagesPerSecond = imagesPerSecond
        self.dataWaitShare = dataWaitShare
        self.exchangeWaitShare = exchangeWaitShare
        self.rankSumSeconds = rankSumSeconds
    }

    /// Keys whose values differ between equal runs.
    public static let timingKeys = [
        "images_per_second", "data_wait_share", "exchange_wait_share", "seconds", "rank_sum_seconds",
        "guidance_time_share",
    ]

    fileprivate func line(seconds: Double) -> JSON.Members {
        var line: JSON.Members = [
            "step": .integer(step), "epoch": .integer(epoch), "samples": .integer(samples), "loss": .number(loss),
            "lr": .number(rate), "grad_norm": .number(gradientNorm),
        ]
        for measure in measures { line[measure.name] = .number(measure.value) }
        for (key, value) in zip(Self.timingKeys, [imagesPerSecond, dataWaitShare, exchangeWaitShare, seconds]) {
            line[key] = .number(value)
        }
        line["rank_sum_seconds"] = rankSumSeconds.map(JSON.number)
        return line
    }

    fileprivate var scalars: [(tag: String, value: Double)] {
        [("train/loss", loss), ("train/lr", rate), ("train/grad_norm", gradientNorm)]
            + measures.map { ("train/\($0.name)", $0.value) }
            + [("time/images_per_second", imagesPerSecond), ("time/data_wait_share", dataWaitShare)]
            + [("time/exchange_wait_share", exchangeWaitShare)]
            + (rankSumSeconds.map { [("time/rank_sum_seconds", $0)] } ?? [])
    }
}

/// The run folder's `metrics.jsonl` and event files, written by rank 0 at log intervals with plain writes. A sink that
/// fails (disk full, folder read-only) is dropped with one warning; training goes on.
public final class RunLog {
    /// Where the log stood at a checkpoint, so that a resumed run continues it.
    public struct Position: Sendable, Equatable, Codable {
        /// Bytes of `metrics.jsonl`.
        public var bytes: Int
        /// Seconds of training before this position.
        public var seconds: Double
        public var step: Int

        public init(bytes: Int, seconds: Double, step: Int) {
            self.bytes = bytes
            self.seconds = seconds
            self.step = step
        }
    }

    private var metrics: AppendedFile?
    /// End of the last whole line; kept when the sink is gone, so that a later resume does not cut what stands.
    private var metricsBytes: Int
    private var events: TensorBoardFile?
    private let earlierSeconds: Double
    private let start = ContinuousClock.now
    private let warn: (String) -> Void
    private var step: Int

    /// - Parameters:
    ///   - resumed: the position in the checkpoint that the run continues from: later lines are cut off, because the run
    ///     will write them again. Nil begins at the first step and empties `metrics.jsonl`.
    ///   - warn: told once about each sink that is given up.
    public init(folder: String, resumed: Position? = nil, warn: @escaping (String) -> Void) {
        self.warn = warn
        earlierSeconds = resumed?.seconds ?? 0
        step = resumed?.step ?? 0
        metricsBytes = resumed?.bytes ?? 0
        do throws(FileError) {
            let file = try AppendedFile("\(folder)/metrics.jsonl", cutAt: metricsBytes)
            metrics = file
            metricsBytes = file.position
        } catch { warn("metrics are not written: \(error)") }
        let now = Date().timeIntervalSince1970
        do throws(FileError) {
            let path = "\(folder)/\(TensorBoardFile.name(wallSeconds: now))"
            events = try TensorBoardFile(path, wallSeconds: now, resumedAt: resumed.map { $0.step + 1 })
        } catch { warn("TensorBoard events are not written: \(error)") }
    }

    /// Seconds of training, those before a resume included, on a clock that never jumps.
    public var seconds: Double {
        let (whole, atto) = (ContinuousClock.now - start).components
        return earlierSeconds + Double(whole) + Double(atto) * 1e-18
    }

    /// What a checkpoint stores to continue this log.
    public var position: Position { Position(bytes: metricsBytes, seconds: seconds, step: step) }

    public func write(_ record: StepRecord) {
        step = record.step
        append(record.line(seconds: seconds), record.scalars, step: record.step)
    }

    /// Results beside the steps, such as an evaluation: one line with the step, what it is and its numbers.
    public func write(_ event: String, step: Int, _ measures: [Measure]) {
        self.step = max(self.step, step)
        var line: JSON.Members = ["step": .integer(step), "event": .string(event)]
        for measure in measures { line[measure.name] = .number(measure.value) }
        line["seconds"] = .number(seconds)
        append(line, measures.map { ("\(event)/\($0.name)", $0.value) }, step: step)
    }

    /// An image for TensorBoard.
    public func write(_ image: borrowing Image, tag: String, step: Int) {
        let now = Date().timeIntervalSince1970
        do throws(FileError) { try events?.append(image, tag: tag, step: step, wallSeconds: now) } catch {
            giveUpEvents(error)
        }
    }

    private func append(_ line: JSON.Members, _ scalars: [(tag: String, value: Double)], step: Int) {
        do throws(FileError) {
            try metrics?.append(Array((JSON.object(line).line + "\n").utf8))
            metricsBytes = metrics?.position ?? metricsBytes
        } catch {
            metrics = nil
            warn("metrics are no longer written: \(error)")
        }
        let now = Date().timeIntervalSince1970
        giveUpOnFailure { () throws(FileError) in try events?.append(scalars, step: step, wallSeconds: now) }
    }

    private func giveUpOnFailure(_ write: () throws(FileError) -> Void) {
        do throws(FileError) { try write() } catch { giveUpEvents(error) }
    }

    private func giveUpEvents(_ error: FileError) {
        events = nil
        warn("TensorBoard events are no longer written: \(error)")
    }
}
