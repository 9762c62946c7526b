import ArgumentParser
import Batches
import Checkpoints
import Cluster
import Evaluation
import Platform
import Recipes
import Training

extension CheckpointVerb {
    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a checkpoint of a safetensors file from timm, SimMIM, SparK or 'checkpoint export'.",
            discussion: """
                The recipe says which model the weights are for. Every name is accounted for, and position tables of \
                another resolution are resampled. Unless the file fills the encoder exactly, and the model then gives \
                the numbers that the file carries to compare with, nothing is written and the code is 65. Head, \
                decoder, mask token and a norm after pooling may be missing: they stand at their start values. For a \
                CRATE-MAE both published λ are tried on the recipe's data, unless --set model.lambda gives one.

                Example: lacuna checkpoint import exported/model.safetensors \\
                  --recipe Recipes/simmim-vit_micro-digits.yaml --output runs/imported
                """)

        @Argument(help: "A safetensors file.")
        var file: String

        @Option(help: "The recipe of the model, a YAML file.")
        var recipe: String

        @Option(name: .customLong("set"), help: "Change a key: --set images.size=192. May be given several times.")
        var overrides: [String] = []

        @Option(help: "A new run folder.")
        var output: String

        @Option(
            name: .customLong("from"), help: "Whose names the file has, timm, simmim or spark (default: as they look).")
        var library: ThirdPartyLibrary?

        @Flag(help: "Write the checkpoint also if parts of the encoder keep their start values.")
        var allowPartial = false

        func run() throws {
            let written = try RecipeFile.load(recipe, overrides: overrides)
            let weights = try ThirdPartyWeights(Safetensors(file), from: library)
            let store = CheckpointStore(output + "/checkpoints")
            guard try store.steps().isEmpty else {
                throw CheckpointError(
                    .mismatched, at: output, found: "a run with checkpoints", expected: "a new run folder")
            }
            let session = try Session(threads: written.threads)
            let recipe = try triedLambda(written, weights, session)
            let model = try ImportedModel(weights, into: recipe, pool: session.pool)
            writeOutput(Self.text(model, weights))
            if !model.faults.isEmpty || model.parity.differs {
                let reason =
                    model.faults.isEmpty
                    ? "the model computes something else, although all names fit"
                    : "\(model.faults.count) names keep the encoder from being whole"
                guard allowPartial else {
                    writeError(
                        "lacuna: \(file): \(reason); nothing was written. Look at \(model.suspects) of the recipe, "
                            + "or take it as it is with --allow-partial")
                    throw ExitCode(65)
                }
                session.console.warn("\(reason), taken as it is")
            }
            switch store.save(model.content(program: Version.text)) {
            case .saved(let path, let bytes, _, _): session.console.say("\(path): written, \(sizeText(bytes))")
            case .failed(let errors): if let error = errors.last { throw error }
            }
            try session.communicator.finish()
        }

        /// The weights of a CRATE-MAE do not say which λ they were trained with: the better of the published ones.
        private func triedLambda(_ written: Recipe, _ weights: ThirdPartyWeights, _ session: Session) throws -> Recipe {
            let key = "model.lambda"
            guard written.keys[key] != nil, written.kind == .pretrain,
                !overrides.contains(where: { $0.hasPrefix(key + "=") })
            else { return written }
            func withLambda(_ lambda: Double) throws -> Recipe {
                try RecipeFile.load(recipe, overrides: overrides + ["\(key)=\(lambda)"])
            }
            do {
                let trial = try LambdaTrial(weights, pool: session.pool, withLambda)
                let losses = trial.results.map { "\(fixed($0.loss, digits: 4)) with \($0.lambda)" }
                session.console.say(
                    "\(key): masked loss \(losses.joined(separator: ", ")) over \(trial.images) images; taking \(trial.best)"
                )
                return try withLambda(trial.best)
            } catch let error as DataError {
                session.console.warn("\(key): not tried, taken from the recipe: \(error)")
                return written
            }
        }

        private static func text(_ model: ImportedModel, _ weights: ThirdPartyWeights) -> String {
            let report = model.report
            var table = Table(numbers: [1])
            func add(_ kind: String, _ names: [String], _ note: String) {
                table.add(kind, "\(names.count)", names.isEmpty ? "" : note + KeyReport.text(names))
            }
            table.add("matched", "\(report.matched.count)", "")
            add("missing", report.missing, "at their start values: ")
            add("unexpected", report.unexpected, "left out: ")
            add("mis-shaped", report.misshaped.map(\.description), "at their start values: ")
            let parity =
                switch model.parity {
                case .none: "the file has no numbers to compare with"
                case .incomparable(let reason): "not compared: \(reason)"
                case .compared(let output, let largest, let scale):
                    "\(output.rawValue) differ by \(largest) at most, the largest is \(scale)"
                }
            return "\(weights.path), names of \(weights.library.rawValue)\n" + table.text + "  parity      \(parity)\n"
        }
    }
}
