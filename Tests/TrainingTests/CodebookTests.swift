import Autodiff
import Batches
import Cluster
import Kernels
import Objectives
import Testing
import Training

@Suite struct CodebookTests {
    /// Made batches, one of them without numbers.
    private final class SpoiltFeed: BatchFeed {
        private let sound, spoilt: Batch
        private let place: Int
        private var number = 0

        init(_ shape: BatchShape, spoilt place: Int) {
            (sound, spoilt) = (Batch(synthetic: shape, seed: 0), Batch(synthetic: shape, seed: 0))
            spoilt.images.fill(.nan)
            self.place = place
        }

        func next() -> Batch {
            defer { number += 1 }
            return number == place ? spoilt : sound
        }

        func release(_ batch: Batch) {}
    }

    /// A skipped update at the place of the start left the quantiser switched off to the end of the run.
    @Test(arguments: [(1, [0, 0, 0, 1, 2]), (2, [0, 0, 0, 1, 2]), (3, [0, 0, 1, 1, 2])] as [(Int, [Float])])
    func `a codebook starts as soon as enough updates had numbers`(spoilt: Int, expected: [Float]) throws {
        // 640 vectors are wanted for 64 codes: those of two updates, the second and the third if all goes well.
        let recipe = try shippedRecipe(
            "Recipes/tokenizer-vq_vit_micro-digits.yaml", ["batch.global=20", "objective.start_updates=3"])
        let trainer = try Trainer(
            Experiment(recipe, samples: 20, classes: 0, training: 0),
            feed: SpoiltFeed(BatchShape(size: 20, height: 8, width: 8), spoilt: spoilt), updatesPerEpoch: 10,
            communicator: SingleProcess(), pool: WorkerPool(threads: 1))
        let updates = try #require(trainer.store.buffer("quantizer.updates"))
        let codes = try #require(trainer.store.buffer("quantizer.codebook"))
        var found: [Float] = []
        for _ in 0..<5 {
            _ = try trainer.step()
            found.append(updates[0])
        }
        #expect(found == expected && codes.array.allSatisfy { $0.isFinite })
    }
}
