import ArgumentParser
import Batches
import Evaluation
import Glibc
import Kernels
import Objectives
import Platform
import Recipes
import Training

struct DataVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Index, check, look at and measure image sets.",
        discussion: """
            Examples:
              lacuna data index Datasets/mine/train
              lacuna data verify Datasets/mine/train.index
              lacuna data preview Recipes/simmim-vit_micro-digits.yaml
              lacuna data stats Recipes/simmim-vit_micro-digits.yaml
            """,
        subcommands: [Index.self, Verify.self, Preview.self, Stats.self])

    struct Index: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Build the index of a folder of images.",
            discussion: """
                Folders inside are the classes; without them it is a set without labels. Every file is read once, for \
                its size, extents and checksum, unless --no-contents is given.

                Example: lacuna data index Datasets/mine/train
                """)

        @Argument(help: "The folder with one folder of images for each class.")
        var folder: String

        @Option(help: "The index (default: FOLDER.index).")
        var output: String?

        @Flag(name: .customLong("no-contents"), help: "Note paths and sizes only; no file is opened.")
        var leavesOutContents = false

        @Option(help: "Threads that read.")
        var threads = 4

        func validate() throws { try requirePositive(threads, "--threads") }

        func run() throws {
            let root = folder.withoutSlashes
            let path = output ?? root + ".index"
            // Before hours of reading, not after them.
            try requireFolder(of: path)
            let meter = ProgressMeter("index", "files")
            let index = try Manifest.build(root, depth: leavesOutContents ? .names : .contents, threads: threads) {
                meter.show($0, of: $1)
            }
            meter.finish()
            for line in index.summary { writeOutput(line + "\n") }
            writeOutput(classTable(index.classes ?? [], index.classCounts))
            list(index.bad.map { "\($0.path): \($0.fault.reason)" }, as: "bad")
            guard index.count > 0 else {
                throw DataError(
                    root, found: "no image that can be read", expected: "class folders with JPEG or PNG files")
            }
            try index.write(to: path)
            writeOutput("written: \(path)\n")
        }
    }

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read and decode every sample; list the bad ones with their reason.",
            discussion: """
                Files are compared with the sizes and checksums of the index. Ends with code 65 if any file is bad.

                Example: lacuna data verify Recipes/simmim-vit_micro-digits.yaml
                """)

        @Argument(help: "A recipe, whose training and evaluation sets are read, or an index.")
        var path: String

        @Option(help: "The folder of an index (default: its name without .index).")
        var folder: String?

        @Option(name: .customLong("set"), help: "Change a key of the recipe: --set data.train.path=elsewhere.")
        var overrides: [String] = []

        @Option(help: "Threads that read.")
        var threads = 4

        func validate() throws { try requirePositive(threads, "--threads") }

        func run() throws {
            if FileStatus(path, followingLinks: true)?.isFolder == true {
                throw DataError(
                    path, found: "a folder", expected: "a recipe or an index", hint: "make one with 'lacuna data index'"
                )
            }
            var bad = 0
            for source in try sources() { bad += check(source) }
            if bad > 0 { throw ExitCode(65) }
        }

        /// All bad files are wanted here, so that no number of them refuses a set.
        private func sources() throws -> [any SampleSource] {
            let any = Tolerance(share: 1)
            if path.hasSuffix(".safetensors") { return [try TokenSet(path)] }
            if try Manifest.isIndex(path) {
                let root = folder ?? (path.hasSuffix(".index") ? String(path.dropLast(6)) : path)
                return [try ImageFolder(root, manifest: Manifest(path), tolerance: any)]
            }
            let recipe = try Recipe.load(path, overrides: overrides)
            return try ([recipe.data.train] + (recipe.data.evaluation.map { [$0] } ?? [])).map {
                try recipe.source($0, tolerance: any)
            }
        }

        private func check(_ source: any SampleSource) -> Int {
            let known = source.knownFaults()
            var bad = known.bad
            for remark in known.remarks { writeOutput(remark + "\n") }
            let meter = ProgressMeter("verify", "samples")
            bad += source.verify(threads: threads) { meter.show($0, of: $1) }.map { "\($0)" }
            meter.finish()
            for line in bad { writeOutput("bad: \(line)\n") }
            writeOutput(
                "\(source.name): \(source.count) samples read, \(bad.isEmpty ? "all good" : "\(bad.count) bad")\n")
            return bad.count
        }
    }

    struct Preview: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Draw the first samples of a run as the model sees them.",
            discussion: """
                For each sample: the image, what the augmentations make of it, and that with its masked parts grey.

                Example: lacuna data preview Recipes/simmim-vit_micro-digits.yaml --count 12
                """)

        @OptionGroup var file: RecipeFile

        @Option(help: "Samples.")
        var count = 12

        @Option(help: "The image, a PNG file.")
        var output = "preview.png"

        func validate() throws { try requirePositive(count, "--count") }

        func run() throws {
            let recipe = try file.load()
            let source = try recipe.source(recipe.data.train)
            let grid = try recipe.preview(of: source, count: count)
            try OutputFile.write(grid.sheet.png(), to: output)
            writeOutput(
                "\(output): \(min(count, source.count)) samples of \(source.name), each "
                    + grid.titles.joined(separator: ", ") + "\n")
        }
    }

    struct Stats: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Count classes, measure extents and colours of the training set.",
            discussion: """
                Mean and standard deviation are what images.normalize of a recipe wants.

                Example: lacuna data stats Recipes/simmim-vit_micro-digits.yaml
                """)

        @OptionGroup var file: RecipeFile

        @Option(help: "Read at most so many images, chosen at random.")
        var images = 10_000

        @Option(help: "Threads that read.")
        var threads = 4

        func validate() throws {
            try requirePositive(images, "--images")
            try requirePositive(threads, "--threads")
        }

        func run() throws {
            let recipe = try file.load()
            let source = try recipe.source(recipe.data.train)
            let choice = Choice(of: images, from: source, seed: recipe.seed)
            let meter = ProgressMeter("stats", "images")
            let result = source.statistics(of: choice.samples, threads: threads) { meter.show($0, of: $1) }
            meter.finish()
            writeOutput("\(source.name): \(source.fingerprint)\n")
            writeOutput(classTable(source.classes ?? [], source.classCounts))
            list(result.bad.map { "\($0)" }, as: "bad")
            guard let heights = result.heights, let widths = result.widths else {
                throw DataError(source.name, found: "no image that can be read", expected: "at least one")
            }
            var table = Table()
            table.add("images read", "\(result.images)" + (result.bad.isEmpty ? "" : ", \(result.bad.count) bad"))
            table.add("height", text(heights))
            table.add("width", text(widths))
            table.add("mean", text(result.mean))
            table.add("std", text(result.std))
            if result.jpegs > 0 {
                let share = fixed(100 * Double(result.progressive) / Double(result.jpegs), digits: 1)
                table.add("JPEG files", "\(result.jpegs), \(share) % progressive")
            }
            writeOutput(table.text)
        }

        private func text(_ spread: SetStatistics.Spread) -> String {
            spread.least == spread.most
                ? "\(spread.least)" : "\(spread.least) to \(spread.most), median \(spread.median)"
        }

        private func text(_ numbers: [Double]) -> String {
            "[" + numbers.map { fixed($0, digits: 4) }.joined(separator: ", ") + "]"
        }
    }
}

extension Recipe {
    fileprivate static func load(_ path: String, overrides: [String]) throws -> Recipe {
        var file = RecipeFile()
        file.recipe = path
        file.overrides = overrides
        return try file.load()
    }
}

extension String {
    fileprivate var withoutSlashes: String {
        var path = self
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }
}

/// Counts of all classes, or of the first of very many.
private func classTable(_ names: [String], _ counts: [Int]) -> String {
    let shown = 40
    var table = Table(numbers: [1])
    for (name, count) in zip(names, counts).prefix(shown) { table.add(name, String(count)) }
    return table.text + (names.count > shown ? "  and \(names.count - shown) more classes\n" : "")
}

/// Bad files, or the first of very many.
private func list(_ lines: [String], as word: String) {
    let shown = 100
    for line in lines.prefix(shown) { writeOutput("\(word): \(line)\n") }
    if lines.count > shown { writeOutput("and \(lines.count - shown) more\n") }
}

/// Refuses a file whose folder is missing.
func requireFolder(of path: String) throws {
    guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return }
    let folder = String(path[..<slash])
    guard FileStatus(folder, followingLinks: true)?.isFolder != true else { return }
    throw FileError(path: folder, action: "write to the folder", code: ENOENT)
}

func requirePositive(_ value: Int, _ option: String) throws {
    if value < 1 { throw ValidationError("\(option): at least 1 expected, found \(value)") }
}
