import Foundation
import Testing

/// What a finished command said and how it ended.
struct Ending {
    let output: String
    let code: Int32
    let seconds: Double
}

/// The built program and the commands around it.
enum Program {
    /// It lies beside the loaded test bundle.
    static let path: String = {
        let maps = (try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8)) ?? ""
        for line in maps.split(separator: "\n") where line.hasSuffix(".xctest") {
            guard let start = line.firstIndex(of: "/"), let slash = line.lastIndex(of: "/") else { continue }
            let path = line[start...slash] + "lacuna"
            if access(String(path), X_OK) == 0 { return String(path) }
        }
        return "/lacuna-was-not-built"
    }()

    static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }

    static let hasLauncher = shell("command -v mpirun").code == 0

    /// mpirun with two ranks or more on any machine.
    static func mpirun(_ ranks: Int) -> String {
        "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun -np \(ranks) --oversubscribe --bind-to none"
    }

    /// Runs a bash script in the repository's folder; `$LACUNA` is the program. What hangs is ended after two minutes.
    @discardableResult
    static func shell(_ script: String) -> Ending {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
        process.arguments = ["-k", "2", "120", "bash", "-c", script]
        process.currentDirectoryURL = URL(fileURLWithPath: root)
        process.environment = ProcessInfo.processInfo.environment.merging(["LACUNA": path]) { $1 }
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        let start = ContinuousClock.now
        // Threads of the test library hold signals back, and a child would inherit that.
        var (none, before) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        do { try process.run() } catch { return Ending(output: "\(error)", code: -1, seconds: 0) }
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Ending(
            output: String(decoding: data, as: UTF8.self), code: process.terminationStatus,
            seconds: (ContinuousClock.now - start) / .seconds(1))
    }
}

/// A folder with the digits recipe cut short, removed at the end.
final class Bench {
    let folder: String
    let recipe: String

    /// - Parameters:
    ///   - updates: length of the run.
    ///   - every: updates between two checkpoints.
    ///   - changes: texts of the recipe and what stands in their place.
    init(updates: Int = 12, every: Int = 4, _ changes: [String: String] = [:]) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("lacuna-\(UUID().uuidString)").path
        recipe = folder + "/recipe.yaml"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var text = try String(contentsOfFile: Program.root + "/Recipes/simmim-vit_micro-digits.yaml", encoding: .utf8)
        let short = [
            "  epochs: 10\n": "  updates: \(updates)\n",
            "  every_epochs: 5\n": "  every_updates: \(min(every, updates))\n",
            "  every_updates: 5\n": "  every_updates: 1\n",
            "  warmup_epochs: 1\n": "  warmup_updates: \(min(2, updates))\n",
        ]
        // In a fixed order: one replacement must not undo another.
        for key in ["  every_updates: 5\n"] + short.keys.filter({ $0 != "  every_updates: 5\n" }) {
            text = text.replacingOccurrences(of: key, with: short[key] ?? key)
        }
        for (old, new) in changes {
            try #require(text.contains(old), "the recipe has no '\(old)'")
            text = text.replacingOccurrences(of: old, with: new)
        }
        try text.write(toFile: recipe, atomically: true, encoding: .utf8)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// `lacuna pretrain` of the recipe into the folder `run` of this bench, as words for a shell.
    func pretrain(_ options: String = "", run: String = "run") -> String {
        "$LACUNA pretrain \(recipe) --threads 1 --run \(folder)/\(run) \(options)"
    }

    @discardableResult
    func train(_ options: String = "", run: String = "run") -> Ending { Program.shell(pretrain(options, run: run)) }

    /// Starts `command` behind the scenes and calls `then` once it has written `steps` log lines; `$job` is its number.
    func during(_ command: String, run: String = "run", steps: Int, _ then: String) -> Ending {
        Program.shell(
            """
            \(command) & job=$!
            for i in $(seq 1200); do
                [ "$(cat \(folder)/\(run)/metrics.jsonl 2>/dev/null | wc -l)" -ge \(steps) ] && break; sleep 0.02
            done
            \(then)
            wait $job; code=$?; wait; exit $code
            """)
    }

    func bytes(_ name: String) -> Data? { FileManager.default.contents(atPath: folder + "/" + name) }
    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: folder + "/" + name) }

    /// The lines of a run's metrics without what differs between equal runs.
    func metrics(run: String = "run") -> [[String: Double]] {
        let timing = [
            "images_per_second", "data_wait_share", "exchange_wait_share", "seconds", "guidance_time_share",
        ]
        return String(decoding: bytes("\(run)/metrics.jsonl") ?? Data(), as: UTF8.self).split(separator: "\n").map {
            let numbers = (try? JSONSerialization.jsonObject(with: Data($0.utf8))) as? [String: Double] ?? [:]
            return numbers.filter { !timing.contains($0.key) }
        }
    }

    /// Two runs ended with the same weights, moments and metrics.
    func expectSameBytes(_ one: String, _ other: String, step: Int = 12) {
        let folder = "checkpoints/step-" + String(repeating: "0", count: 8 - "\(step)".count) + "\(step)"
        for file in ["model.safetensors", "optimizer.safetensors"] {
            let (left, right) = (bytes("\(one)/\(folder)/\(file)"), bytes("\(other)/\(folder)/\(file)"))
            #expect(left != nil && left == right, "\(file) of \(one) and \(other)")
        }
        #expect(metrics(run: one) == metrics(run: other))
        #expect(metrics(run: one).count == step)
    }
}
