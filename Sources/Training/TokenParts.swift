import Autodiff
public import Batches
import Kernels
import Models
import Objectives
public import Recipes

// What the `tokens` section of a recipe stands for in the modules that know no recipes.

extension Recipe {
    /// What a step reads: batches as they are loaded, or what training makes of stored grids of tokens.
    /// - Parameter loader: of tokens: gives the stored grids as ids.
    func feed(
        _ loader: any BatchFeed, _ experiment: Experiment, _ grid: TokenGrid?, pool: WorkerPool
    ) throws -> any BatchFeed {
        if let objective = experiment.objective as? TokenAdaptation {
            return try TokenAdaptFeed(
                loader, self, objective, samples: experiment.batch.images.shape[0], pool: pool)
        }
        guard let tokens, let grid else { return loader }
        let images = experiment.batch.images.shape
        let adapted = TokenHalf.places(images[0], tokens.partner, adapts: tokens.adapt != nil).adapted
        guard tokens.adapt == nil || !adapted.isEmpty else {
            throw DataError(
                "batch", found: "\(images[0]) sample in a micro-batch of a rank",
                expected: "at least 2, of which one goes through TokenAdapt", hint: "take fewer ranks or a larger batch"
            )
        }
        return try TokenFeed(
            loader, self, grid, samples: images[0], channels: images[3],
            classes: experiment.batch.targets?.shape[1] ?? 0, maskCount: experiment.objective.masking?.count ?? 0,
            adaptation: tokens.adapt.map {
                try FrozenTokenAdapt($0, grid, size: tokens.size, samples: adapted.count, pool: pool)
            }, pool: pool)
    }

    /// A made grid for timing without data: as large as the published one is to its crop, 32 to 28, with a drawn codebook.
    var syntheticGrid: TokenGrid? {
        tokens.map { tokens in
            let rows = Floats(zeros: tokens.codebookSize * tokens.codeDim)
            var random = RandomStream(seed: seed, purpose: .procedural)
            for place in 0..<rows.count { rows[place] = Float(random.normal()) }
            return TokenGrid(
                side: tokens.size * 8 / 7, Codebook(rows, width: tokens.codeDim, metric: .cosine))
        }
    }

    /// What a timed step reads of synthetic batches; without TokenAdapt, whose weights need not be there.
    func timedFeed(_ made: any BatchFeed, _ experiment: Experiment, pool: WorkerPool) throws -> any BatchFeed {
        guard let grid = syntheticGrid else { return made }
        let images = experiment.batch.images.shape
        return try TokenFeed(
            made, self, grid, samples: images[0], channels: images[3],
            classes: experiment.batch.targets?.shape[1] ?? 0, maskCount: experiment.objective.masking?.count ?? 0,
            adaptation: nil, pool: pool)
    }

    /// Nothing drawn: the records of a set as evaluations see them.
    /// - Parameter channels: 1 for ids, else those of code vectors: the last extent of the objective's input.
    public func evaluationTokens(_ grid: TokenGrid?, channels: Int) -> (any TokenTransform)? {
        guard let tokens, let grid else { return nil }
        return CentreTokens(grid, side: tokens.size, embeds: channels > 1)
    }
}
