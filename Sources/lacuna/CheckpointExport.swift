public import ArgumentParser
import Checkpoints
import Cluster
public import Evaluation
import Objectives
import Platform
import Recipes
import Training

extension ThirdPartyLibrary: ExpressibleByArgument {}

extension CheckpointVerb {
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a model as a safetensors file that timm, microsoft/SimMIM or keyu-tian/SparK loads.",
            discussion: """
                A classifier is written with its head, a pretraining model for timm as a backbone (num_classes 0) and \
                for SimMIM and SparK whole. config.json beside the file tells how the model is built; the header holds \
                the same, the step, and what the model gives for an image drawn by a formula, to compare with. timm \
                loads a folder whose file is named model.safetensors:
                  timm.create_model("local-dir:exported", pretrained=True)

                Example: lacuna checkpoint export runs/simmim-vit_micro-digits --for timm \\
                  --output exported/model.safetensors
                """)

        @OptionGroup var checkpoint: CheckpointOptions

        @Option(name: .customLong("for"), help: "Whose names: timm, simmim or spark.")
        var library: ThirdPartyLibrary

        @Option(help: "The file; its folder is made where it is missing.")
        var output: String

        func run() throws {
            let opened = try OpenedCheckpoint(checkpoint, over: Session.join())
            let (session, saved) = (opened.session, opened.saved)
            let exported = try ExportedModel(
                saved, opened.recipe, for: library, ema: checkpoint.ema, program: "lacuna \(Version.text)",
                pool: session.pool)
            let config = try exported.write(to: output)
            session.console.say(
                """
                \(output): \(exported.counterpart.architecture) of \(library.rawValue), \(exported.tensors.count) \
                tensors, step \(saved.step), \(exported.parity.values.count) \(exported.parity.output.rawValue) to compare
                \(config): how it is built
                """)
            try session.communicator.finish()
        }
    }
}
