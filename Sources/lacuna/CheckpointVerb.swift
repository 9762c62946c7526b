import ArgumentParser
import Checkpoints
import FoundationEssentials
import Platform
import Training

struct CheckpointVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoint", abstract: "Look into checkpoints, check their bytes, exchange weights with PyTorch.",
        discussion: """
            PATH is a run folder, its folder checkpoints, or the folder of one step. Examples:
              lacuna checkpoint show runs/simmim-vit_micro-digits
              lacuna checkpoint verify runs/simmim-vit_micro-digits
              lacuna checkpoint export runs/simmim-vit_micro-digits --for timm \\
                --output exported/model.safetensors
              lacuna checkpoint import exported/model.safetensors \\
                --recipe Recipes/simmim-vit_micro-digits.yaml \\
                --output runs/imported
            """,
        subcommands: [Show.self, Verify.self, Export.self, Import.self])

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print what is inside: the steps, and of the newest its state and tensors.",
            discussion: """
                Examples:
                  lacuna checkpoint show runs/simmim-vit_micro-digits
                  lacuna checkpoint show exported/model.safetensors
                """)

        @Argument(help: "A run folder, its folder checkpoints, the folder of one step, or a safetensors file.")
        var path: String

        @Flag(help: "Everything as JSON, with the tensors of all files and every key of the recipe.")
        var json = false

        func run() throws {
            if FileStatus(path, followingLinks: true)?.isFile == true {
                let file = FileContent(try Safetensors(path))
                return writeOutput(json ? try file.jsonText() : file.text)
            }
            let place = try CheckpointPlace(path)
            var steps: [StepContent.Brief] = []
            var newest: StepContent?
            var failure: CheckpointError?
            for folder in place.folders.reversed() {
                do throws(CheckpointError) {
                    let checkpoint = try Checkpoint(folder)
                    steps.append(.init(checkpoint))
                    if newest == nil { newest = try StepContent(checkpoint) }
                } catch {
                    steps.append(.init(folder, error))
                    failure = failure ?? error
                }
            }
            if let newest {
                writeOutput(json ? try jsonText(steps.reversed(), newest) : text(steps.reversed(), newest))
            } else if let failure {
                throw failure
            }
        }

        private func jsonText(_ steps: [StepContent.Brief], _ newest: StepContent) throws -> String {
            struct Report: Encodable {
                let steps: [StepContent.Brief]
                let newest: StepContent
            }
            return try prettyJSON(Report(steps: steps, newest: newest))
        }

        private func text(_ steps: [StepContent.Brief], _ newest: StepContent) -> String {
            var list = Table(numbers: [1])
            for step in steps { list.add(step.path, step.bytes.map(sizeText) ?? "", step.problem ?? "") }
            var files = Table(numbers: [1])
            for file in newest.files {
                files.add(file.name, sizeText(file.bytes), file.tensors.map { "\($0.count) tensors" } ?? "")
            }
            let tensors = tensorTable(newest.files.first { $0.name == "model.safetensors" }?.tensors ?? [])
            var facts = Table()
            facts.add("step", "\(newest.step), epoch \(newest.epoch), \(newest.samplesSeen) samples seen")
            if newest.updates != newest.step { facts.add("updates", "\(newest.updates): the others were skipped") }
            facts.add("parameters", "\(newest.parameters)")
            facts.add("recipe", "\(newest.recipe["objective.kind"] ?? "?") with \(newest.recipe["model.kind"] ?? "?")")
            let counts = newest.data.counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
            facts.add("data", counts.joined(separator: ", ") + ", fingerprint \(newest.data.fingerprint)")
            facts.add("written by", "lacuna \(newest.library)")
            return (steps.count > 1 ? "steps\n" + list.text + "\n" : "") + newest.path + "\n" + facts.text
                + "\nfiles\n" + files.text + "\nmodel.safetensors\n" + tensors
        }
    }

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read every byte and compare it with its checksum.",
            discussion: """
                Names the damaged file and the tensor in it. Ends with code 74 if any checkpoint is damaged.

                Example: lacuna checkpoint verify runs/simmim-vit_micro-digits
                """)

        @Argument(help: "A run folder, its folder checkpoints, or the folder of one step.")
        var path: String

        func run() throws {
            let place = try CheckpointPlace(path)
            var damaged = 0
            for folder in place.folders {
                let problems = check(folder)
                for problem in problems { writeOutput("damaged: \(problem)\n") }
                if !problems.isEmpty { damaged += 1 }
            }
            guard damaged == 0 else {
                writeOutput("\(damaged) of \(place.folders.count) checkpoints damaged\n")
                throw ExitCode(74)
            }
        }

        private func check(_ folder: String) -> [CheckpointError] {
            let meter = ProgressMeter("verify " + folder, "bytes")
            do {
                let checkpoint = try Checkpoint(folder)
                var done = 0
                let problems = checkpoint.damages { bytes in
                    done += bytes
                    meter.show(done, of: checkpoint.totalBytes)
                }
                meter.finish()
                if problems.isEmpty {
                    let count = checkpoint.fileNames.count
                    writeOutput("\(folder): valid, \(count) files of \(sizeText(checkpoint.totalBytes))\n")
                }
                return problems
            } catch { return [error] }
        }
    }
}

/// One step in `checkpoint show`.
private struct StepContent: Encodable {
    struct Brief: Encodable {
        let path: String
        let step: Int?
        let bytes: Int?
        let problem: String?

        init(_ checkpoint: Checkpoint) {
            (path, step, bytes) = (checkpoint.path, checkpoint.step, checkpoint.totalBytes)
            problem = nil
        }

        init(_ path: String, _ error: CheckpointError) {
            (self.path, problem) = (path, "\(error)")
            (step, bytes) = (nil, nil)
        }
    }

    struct File: Encodable {
        let name: String
        let bytes: Int
        /// Nil for a file that is no safetensors file.
        let tensors: [TensorContent]?
    }

    struct Data: Encodable {
        let fingerprint: String
        let counts: [String: Int]
    }

    let path, library: String
    let step, epoch, updates, samplesSeen, parameters: Int
    let seeds: [String: UInt64]
    let recipe: [String: String]
    let data: Data
    let files: [File]

    init(_ checkpoint: Checkpoint) throws(CheckpointError) {
        let state = checkpoint.state
        (path, library, step) = (checkpoint.path, state.library, checkpoint.step)
        (epoch, updates, samplesSeen) = (state.epoch, state.updates, state.samplesSeen)
        (seeds, recipe) = (state.seeds, state.recipe)
        data = Data(fingerprint: String(state.data.hash, radix: 16), counts: state.data.counts)
        var (files, parameters): ([File], Int) = ([], 0)
        for name in checkpoint.fileNames {
            let part = CheckpointPart.allCases.first { $0.rawValue + ".safetensors" == name }
            var tensors: [TensorContent]?
            if let part {
                let stored = try checkpoint.open(part).tensors
                tensors = stored.map(TensorContent.init)
                if part == .model { for tensor in stored where tensor.kind.isFloating { parameters += tensor.count } }
            }
            files.append(File(name: name, bytes: checkpoint.bytes(of: name) ?? 0, tensors: tensors))
        }
        (self.files, self.parameters) = (files, parameters)
    }
}
