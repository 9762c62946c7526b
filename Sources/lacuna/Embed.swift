import ArgumentParser
import Batches
import Checkpoints
import Cluster
import Evaluation
import Kernels
import Objectives
import Platform
import Recipes
import Training

struct Embed: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write an encoder's features to a file.",
        discussion: """
            A safetensors file with features (N, F), labels (N) and samples (N), the numbers of the samples in their \
            set; or with --csv a table with one line for each sample. Samples that cannot be read are left out.

            Examples:
              lacuna embed runs/simmim-vit_micro-digits --output digits.safetensors
              lacuna embed runs/simmim-vit_micro-digits --part train --csv \\
                --output digits.csv
            """)

    enum Part: String, ExpressibleByArgument, CaseIterable { case train, evaluation }

    @OptionGroup var file: EncoderFile
    @OptionGroup var choice: FeatureChoice

    @Option(help: "The file.")
    var output: String

    @Option(help: "Samples of the recipe's data: train or evaluation.")
    var part = Part.evaluation

    @Flag(help: "Write a table of text.")
    var csv = false

    func validate() throws {
        try requirePositive(choice.layers, "--layers")
    }

    func run() throws {
        let communicator = try Session.join()
        try amongRanks(of: communicator) { try write(communicator) }
        try communicator.finish()
    }

    private func write(_ communicator: any Communicator) throws {
        // Before hours of computing, not after them.
        try communicator.onRankZero { try requireFolder(of: output) }
        let encoder = try OpenedEncoder(file, over: communicator) { _ in choice.spec(layer: file.layer) }
        let source = try communicator.together { () throws -> any SampleSource in
            guard part == .evaluation else { return encoder.train }
            guard let section = encoder.recipe.data.evaluation else { throw EvaluationError.noTestSet }
            return try encoder.recipe.source(section)
        }
        guard let features = try encoder.features(of: source) else { return }
        if csv {
            try features.writeTable(to: output)
        } else {
            try Safetensors.write(
                features.tensors,
                metadata: [
                    "feature": features.description, "set": features.name, "weights": encoder.weights,
                    "weights_checksum": String(encoder.extractor.weightsHash, radix: 16),
                ], to: output)
        }
        encoder.session.console.say(
            "\(output): \(features.count) samples of \(features.name), \(features.width) numbers each: "
                + features.description)
    }
}

extension Features {
    /// Lines `sample,label,f0,f1,…` under a line of names; the label is empty where there is none. Numbers are the
    /// shortest that read back as the same Float.
    fileprivate func writeTable(to path: String) throws(FileError) {
        let file = try OutputFile(replacing: path)
        var text = "sample,label," + (0..<width).map { "f\($0)" }.joined(separator: ",") + "\n"
        for row in 0..<count {
            text += "\(samples[row]),\(labels[row] < 0 ? "" : String(labels[row]))"
            for column in 0..<width { text += ",\(values[row * width + column])" }
            text += "\n"
            if text.utf8.count > 1 << 20 || row == count - 1 {
                try file.write(Array(text.utf8))
                text = ""
            }
        }
        try file.commit()
    }
}
