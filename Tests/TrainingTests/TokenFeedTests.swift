import Batches
import Testing
import Training

@Suite struct TokenFeedTests {
    /// With 7 samples on each of two ranks the pairs of the second one would be others than on one rank with 14.
    @Test func `samples that take from neighbours come in whole pairs`() {
        let error = #expect(throws: DataError.self) {
            try bench("Recipes/seit-token_vit_micro-fashion_mnist-20ep.yaml", batch: 7)
        }
        #expect(error?.found == "7 samples in a micro-batch of a rank")
    }
}
