import Batches
import FoundationEssentials
import Kernels
import Platform
import Testing
import Training

/// A folder of its own, removed at the end.
private final class Scratch {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("lacuna-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func text(_ name: String) -> String {
        String(decoding: FileManager.default.contents(atPath: "\(path)/\(name)") ?? Data(), as: UTF8.self)
    }

    var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }
}

private final class Warnings {
    var texts: [String] = []
}

private func record(_ step: Int) -> StepRecord {
    StepRecord(
        step: step, epoch: step / 4, samples: step * 8, loss: 1 / Double(step + 1), rate: 1e-4, gradientNorm: 2.5,
        measures: [.init("hidden_share", 0.75)], imagesPerSecond: Double(step) * 1.37)
}

/// The lines of a metrics file without what differs between equal runs.
private func deterministic(_ text: String) -> [String] {
    text.split(separator: "\n").map { line in
        var line = String(line)
        for key in StepRecord.timingKeys {
            guard let start = line.firstRange(of: "\"\(key)\": ") else { continue }
            let value = line[start.upperBound...].prefix { $0 != "," && $0 != "}" }
            line.removeSubrange(start.lowerBound..<value.endIndex)
        }
        return line
    }
}

struct RunLogTests {
    @Test func `a line is an object with every number of the step`() throws {
        let folder = try Scratch()
        RunLog(folder: folder.path) { Issue.record("\($0)") }.write(record(3))
        struct Line: Decodable {
            let step, epoch, samples: Int
            let loss, lr, grad_norm, hidden_share, images_per_second, data_wait_share, exchange_wait_share: Double
            let seconds: Double
        }
        let text = folder.text("metrics.jsonl")
        let line = try JSONDecoder().decode(Line.self, from: Data(text.utf8))
        #expect(text.hasSuffix("}\n"))
        #expect(line.step == 3 && line.epoch == 0 && line.samples == 24)
        #expect(line.loss == 0.25 && line.lr == 1e-4 && line.grad_norm == 2.5 && line.hidden_share == 0.75)
        #expect(line.images_per_second == 3 * 1.37 && line.seconds >= 0)
    }

    @Test func `a number that is not finite becomes null`() throws {
        let folder = try Scratch()
        let log = RunLog(folder: folder.path) { Issue.record("\($0)") }
        log.write("evaluation", step: 1, [.init("accuracy", .nan), .init("loss", .infinity)])
        let text = folder.text("metrics.jsonl")
        #expect(text.hasPrefix(#"{"step": 1, "event": "evaluation", "accuracy": null, "loss": null, "seconds": "#))
    }

    @Test func `an interrupted and resumed run leaves the lines of an uninterrupted one`() throws {
        let whole = try Scratch(), cut = try Scratch()
        let uninterrupted = RunLog(folder: whole.path) { Issue.record("\($0)") }
        for step in 0..<10 { uninterrupted.write(record(step)) }

        let first = RunLog(folder: cut.path) { Issue.record("\($0)") }
        for step in 0..<5 { first.write(record(step)) }
        let position = first.position
        for step in 5..<8 { first.write(record(step)) }
        // Killed here; the checkpoint of step 4 is the newest.
        let second = RunLog(folder: cut.path, resumed: position) { Issue.record("\($0)") }
        for step in 5..<10 { second.write(record(step)) }

        let lines = deterministic(cut.text("metrics.jsonl"))
        #expect(lines.count == 10)
        #expect(lines == deterministic(whole.text("metrics.jsonl")))
    }

    @Test func `seconds go on after a resume`() throws {
        let folder = try Scratch()
        let log = RunLog(folder: folder.path, resumed: .init(bytes: 0, seconds: 1000, step: 7)) {
            Issue.record("\($0)")
        }
        #expect(log.seconds >= 1000 && log.seconds < 1100)
    }

    // Training must outlive its log: a full disk once ended a run after days.
    @Test func `a full disk silences each sink with one warning`() throws {
        let folder = try Scratch(), warnings = Warnings()
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder.path)/metrics.jsonl", withDestinationPath: "/dev/full")
        let log = RunLog(folder: folder.path) { warnings.texts.append($0) }
        for step in 0..<3 { log.write(record(step)) }
        #expect(warnings.texts.count == 1)
        #expect(warnings.texts.first?.contains("metrics.jsonl") == true)
    }

    @Test func `a folder that cannot be written silences both sinks`() throws {
        let folder = try Scratch(), warnings = Warnings()
        let log = RunLog(folder: "\(folder.path)/missing") { warnings.texts.append($0) }
        for step in 0..<3 { log.write(record(step)) }
        #expect(warnings.texts.count == 2)
    }

    @Test func `a sink that is gone still reports where its last whole line ends`() throws {
        let folder = try Scratch()
        let first = RunLog(folder: folder.path) { Issue.record("\($0)") }
        first.write(record(0))
        let position = first.position
        try FileManager.default.removeItem(atPath: "\(folder.path)/metrics.jsonl")
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder.path)/metrics.jsonl", withDestinationPath: "/dev/full")
        let full = RunLog(folder: folder.path, resumed: position) { _ in }
        full.write(record(1))
        #expect(full.position.bytes <= position.bytes)
    }
}

struct EventFileTests {
    private func bytes(_ path: String) -> [UInt8] { [UInt8](FileManager.default.contents(atPath: path) ?? Data()) }

    @Test func `a scalar record has the bytes that TensorBoard writes`() throws {
        let folder = try Scratch()
        let path = "\(folder.path)/events"
        let file = try TensorBoardFile(path, wallSeconds: 1.5)
        let head = bytes(path).count
        try file.append([("train/loss", 0.5)], step: 300, wallSeconds: 1.5)
        #expect(Array(bytes(path)[head...]) == scalarRecord)
    }

    @Test func `parts of a run sort by their time`() {
        #expect(TensorBoardFile.name(wallSeconds: 999.5) == "events.out.tfevents.0000000999.lacuna")
        #expect(TensorBoardFile.name(wallSeconds: 999.5) < TensorBoardFile.name(wallSeconds: 1_700_000_000))
    }

    @Test func `an image of one red pixel has the bytes of the PNG specification`() {
        #expect(Image(height: 1, width: 1, bytes: Bytes([255, 0, 0])).png() == redPixel)
    }
}

/// Event(wall_time=1.5, step=300, summary=[train/loss: 0.5]) as tensorboard 2's RecordWriter frames it.
private let scalarRecord: [UInt8] = [
    33, 0, 0, 0, 0, 0, 0, 0, 1, 123, 236, 246, 9, 0, 0, 0, 0, 0, 0, 248, 63, 16, 172, 2, 42, 19, 10, 17, 10, 10, 116,
    114, 97, 105, 110, 47, 108, 111, 115, 115, 21, 0, 0, 0, 63, 181, 106, 100, 49,
]

/// Written with Python's zlib.
private let redPixel: [UInt8] = [
    137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0, 144, 119, 83,
    222, 0, 0, 0, 12, 73, 68, 65, 84, 120, 156, 99, 248, 207, 192, 0, 0, 3, 1, 1, 0, 201, 254, 146, 239, 0, 0, 0, 0, 73,
    69, 78, 68, 174, 66, 96, 130,
]
