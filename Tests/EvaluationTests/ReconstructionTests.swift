import Autodiff
import Batches
import Checkpoints
import Evaluation
import Kernels
import Objectives
import Recipes
import Testing
import Training

@Suite struct ReconstructionTests {
    /// Eleven samples in batches of four, the last of three, against one batch of eleven.
    @Test func `the masked error is the loss of the plan`() throws {
        let recipe = try smallRecipe()
        let source = try recipe.evaluationSource()
        let measured = try Reconstruction(recipe, source, batch: 4, weights: .initial(), pool: pool)
            .maskedError(images: 1_000)
        let experiment = try Experiment(recipe, samples: 11, classes: 10)
        let store = ParameterStore(experiment.graph, minimising: nil, seed: recipe.seed, pool: pool)
        let plan = try Plan(
            experiment.graph, minimising: nil, keeping: [experiment.loss.sum, experiment.loss.weight], store: store,
            pool: pool)
        let choice = Choice(of: 11, from: source, seed: recipe.seed)
        let loader = try Loader(
            choice, Sampler(count: 11, globalBatch: 11, order: .stored), BatchCut(),
            recipe.loaderSettings(recipe.evaluationTransform, masking: experiment.objective.masking), updates: 0..<1)
        let batch = try loader.next()
        plan.set(experiment.batch.images, batch.images)
        plan.set(try #require(experiment.batch.mask), batch.masks)
        plan.forward()
        let loss = Double(plan.value(of: experiment.loss.sum)[0] / plan.value(of: experiment.loss.weight)[0])
        #expect(measured.images == 11)
        // The plan's loss is a quotient of two Floats.
        #expect(abs(measured.value - loss) < 1e-6 * loss)
    }

    @Test func `fewer images are the beginning of more`() throws {
        let recipe = try smallRecipe()
        let source = try recipe.evaluationSource()
        #expect(
            Choice(of: 5, from: source, seed: 1).samples
                == Array(Choice(of: 9, from: source, seed: 1).samples.prefix(5)))
        #expect(Choice(of: 99, from: source, seed: 1).count == 11)
    }

    @Test func `the reconstruction shows the original where nothing is hidden`() throws {
        let recipe = try smallRecipe()
        let grid = try Reconstruction(
            recipe, recipe.evaluationSource(), weights: .initial(), pool: pool
        ).images(3)
        let sheet = grid.sheet.bytes
        var (visible, hidden, rebuilt) = (0, 0, 0)
        for sample in 0..<3 {
            let (top, left) = grid.corner(sample: sample, number: 0)
            for y in 0..<grid.side {
                for x in 0..<grid.side {
                    func colour(_ number: Int) -> [UInt8] {
                        let at = ((top + y) * grid.sheet.width + left + number * (grid.side + grid.gap) + x) * 3
                        return sheet[at..<at + 3].array
                    }
                    let isHidden = colour(1) == [128, 128, 128]
                    if isHidden { hidden += 1 } else { visible += 1 }
                    if isHidden && colour(2) != colour(1) { rebuilt += 1 }
                    if !isHidden { #expect(colour(2) == colour(0)) }
                }
            }
        }
        // A prediction may be that grey too, here and there.
        #expect(rebuilt > hidden * 9 / 10)
        // 10 of 16 cells are hidden in each image; a visible pixel may be that grey by chance.
        #expect(abs(hidden - 3 * grid.side * grid.side * 10 / 16) < visible / 20)
    }

    @Test func `saved weights give the same error, other models are refused`() throws {
        let (folder, recipe) = (try Scratch(), try smallRecipe())
        let run = folder.path + "/run"
        try train(recipe, in: run)
        let checkpoint = try CheckpointPlace(run).newestValid()
        #expect(checkpoint.step == 20)
        let source = try recipe.evaluationSource()
        func error(_ recipe: Recipe, _ weights: LoadedModel.Weights) throws -> Double {
            try Reconstruction(recipe, source, weights: weights, pool: pool).maskedError(images: 11).value
        }
        let saved = try Recipe.load(from: checkpoint)
        #expect(saved.text(showingOrigins: false) == recipe.text(showingOrigins: false))
        #expect(try error(saved, .saved(checkpoint)) < error(recipe, .initial()))
        #expect(try error(saved, .saved(checkpoint)) == error(saved, .saved(checkpoint)))
        #expect(throws: CheckpointError.self) {
            try error(Recipe.load(from: checkpoint, overrides: ["model.depth=3"]), .saved(checkpoint))
        }
        #expect(throws: CheckpointError.self) {
            try Reconstruction(saved, source, weights: .saved(checkpoint, ema: true), pool: pool)
        }
    }
}
