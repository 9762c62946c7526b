import ArgumentParser
import Batches
import Evaluation
import Platform
import Training

struct TokensVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokens",
        abstract: "Show token sets and convert them to and from other forms.",
        discussion: """
            'lacuna data verify' reads every record of a token set.

            Example: lacuna tokens show tokens/digits-train.safetensors
            """,
        subcommands: [Show.self, Export.self, Import.self])

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What a token set holds and what it takes.",
            discussion: "Example: lacuna tokens show tokens/digits-train.safetensors")

        @Argument(help: "A token set.")
        var path: String

        func run() throws { writeOutput(try TokenSet(path).summary + "\n") }
    }

    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a token set in the published form, or its ids as an array that NumPy reads.",
            discussion: """
                The published form of naver-ai/seit: PREFIX-token.data.bin.gz (ids below 255 are a byte, others two), \
                PREFIX-token.index.npy.gz (the byte where each record begins), PREFIX-label.txt if there are labels, and \
                PREFIX-synonyms.json; the codebook, which is a pickle there, is PREFIX-codebook.npy here.

                Examples:
                  lacuna tokens export tokens/digits-train.safetensors \\
                    --published tokens/digits
                  lacuna tokens export tokens/digits-train.safetensors \\
                    --array tokens/digits.npy
                """)

        @Argument(help: "A token set.")
        var path: String

        @Option(help: "What the names of the published files begin with.")
        var published: String?

        @Option(help: "An array (N, n, n) of two-byte ids, a file that ends in .npy.")
        var array: String?

        func validate() throws {
            if published == nil && array == nil { throw ValidationError("give --published or --array") }
        }

        func run() throws {
            let set = try TokenSet(path)
            if let published {
                try requireFolder(of: published)
                let files = try set.writePublished(published)
                let bytes = FileStatus(files[0])?.bytes ?? 0
                writeOutput(
                    "\(files.joined(separator: ", ")): \(set.count) records, "
                        + "\(fixed(Double(bytes) / Double(set.count), digits: 1)) bytes an image\n")
            }
            if let array {
                try set.writeArray(to: array)
                writeOutput("\(array): \(set.count) x \(set.grid.side) x \(set.grid.side) ids\n")
            }
        }
    }

    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token set of files in the published form.",
            discussion: """
                The index is found beside the data, with index.npy in the place of data.bin; both may be packed with gzip. \
                Synonyms are read where synonyms.json stands beside the codebook, with the same beginning of the name.

                Example: lacuna tokens import tokens/digits-token.data.bin.gz --labels tokens/digits-label.txt \\
                  --codebook tokens/digits-codebook.npy --output tokens/again.safetensors
                """)

        @Argument(help: "The ids, a file …data.bin or …data.bin.gz.")
        var data: String

        @Option(help: "A class number for each record, a line each (default: the set has no labels).")
        var labels: String?

        @Option(help: "The codebook (K, D) in float32: a .npy file, or the tensor that PyTorch saved.")
        var codebook: String

        @Option(help: "Names of the classes, a line each (default: their numbers).")
        var classes: String?

        @Option(help: "The token set, a safetensors file.")
        var output: String

        func validate() throws {
            if classes != nil && labels == nil { throw ValidationError("--classes names the classes of --labels") }
        }

        func run() throws {
            try requireFolder(of: output)
            let set = try PublishedTokens(data, labels: labels).tokenSet(
                codebook: codebook, classes: classes, to: output)
            writeOutput(set.summary + "\n")
        }
    }
}
