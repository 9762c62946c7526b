import Batches
import Cluster
import Foundation
import Kernels
import Objectives
import Recipes
import Testing
import Training

/// The page Recipes/authors.md: its files are compiled with this target, its recipe is trained.
@Suite struct AuthorPageTests {
    /// What the page shows between ```language and ``` .
    private static func blocks(_ language: String) throws -> [String] {
        let text = try String(contentsOfFile: "\(package)/Recipes/authors.md", encoding: .utf8)
        return text.components(separatedBy: "```\(language)\n").dropFirst().compactMap {
            $0.components(separatedBy: "\n```").first.map { $0 + "\n" }
        }
    }

    private static var catalog: Catalog {
        var catalog = Catalog.own
        catalog.objectives.append(MeanColour.self)
        catalog.models.append(PatchNet.Settings.self)
        catalog.optimizers.append(SignMomentum.self)
        catalog.sources.append(RawImages.self)
        return catalog
    }

    private func recipe(_ overrides: [String] = [], _ catalog: Catalog = Self.catalog) throws -> Recipe {
        let text = try #require(Self.blocks("yaml").first)
        return try Recipe.load("page.yaml", overrides: overrides, catalogue: catalog.kinds) { _, _ in Array(text.utf8) }
    }

    @Test func `the page shows the files that are compiled here`() throws {
        let shown = try Self.blocks("swift")
        for (index, name) in ["MeanColour", "PatchNet", "SignMomentum", "RawImages"].enumerated() {
            let file = "\(package)/Tests/TrainingTests/Author/\(name).swift"
            #expect(shown[index] == (try String(contentsOfFile: file, encoding: .utf8)), "\(name)")
        }
    }

    /// The page's own optimizer in place of the recipe's; the keys of Adam go.
    private static let signMomentum = [
        "optimizer.kind=sign_momentum", "optimizer.beta=0.9", "optimizer.betas=null", "optimizer.eps=null",
        "schedule.base_lr=1e-3",
    ]

    @Test(arguments: [[], signMomentum])
    func `the page's recipe trains, with every shared component that it names`(_ changes: [String]) throws {
        let recipe = try recipe(changes)
        let source = try recipe.source(recipe.data.train)
        let experiment = try Experiment(
            recipe, samples: recipe.batch.global, classes: 0, training: 0, from: Self.catalog)
        let sampler = try Sampler(
            count: source.count, globalBatch: recipe.batch.global, order: .shuffled(seed: recipe.seed))
        let loader = try Loader(
            source, sampler, BatchCut(), recipe.loaderSettings(recipe.trainingTransform), updates: 0..<40)
        defer { loader.stop() }
        let trainer = try Trainer(
            experiment, feed: loader, updatesPerEpoch: sampler.updatesPerEpoch, communicator: SingleProcess(),
            pool: WorkerPool(threads: 1))
        let losses = try (0..<40).map { _ in try trainer.step().loss }
        #expect(losses[30...].reduce(0, +) < 0.7 * losses[..<10].reduce(0, +), "\(losses)")
        #expect(experiment.parts.compactMap { $0 as? GuidedRecording }.first?.links.count == 1)
        #expect(trainer.store.names.contains("encoder.blocks.0.mlp.fc1.weight"))
    }

    @Test func `the page's data source is read, and tells how to get what is missing`() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("lacuna-\(UUID().uuidString)").path
        try Data(0..<96).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        func source(_ path: String) throws -> any SampleSource {
            let recipe = try recipe([
                "data.train={kind: raw, path: \(path), size: 4, count: null, first: null, seed: null}"
            ])
            return try recipe.source(recipe.data.train, from: Self.catalog)
        }
        let images = try source(path)
        var image = Image()
        var memory = ReadMemory()
        try images.read(1, into: &image, using: &memory)
        #expect(images.count == 2 && image.bytes.array == Array(48..<96))
        let missing = #expect(throws: DataError.self) { try source("Datasets/raw/data/none") }
        #expect(missing?.hint.contains("Datasets/raw/prepare") == true)
        #expect(throws: RecipeError.self) { try recipe(["data.train={kind: raw, path: x, size: 0}"]) }
    }

    @Test func `the page's kinds are checked as others are`() throws {
        let error = #expect(throws: RecipeError.self) { try recipe(["model.patch_size=5", "objective.hidden=0"]) }
        #expect(error?.issues.count == 2)
        #expect(throws: RecipeError.self) { try recipe([], .own) }
    }
}
