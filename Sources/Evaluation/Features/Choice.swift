public import Batches
import Kernels
import Objectives
public import Recipes
import Training

/// A few samples of a set, chosen at random and the same for the same seed: neighbours in a set are often of one class.
/// A smaller choice is the beginning of a larger one.
public struct Choice: SampleSelection {
    public let source: any SampleSource
    /// Numbers of the samples in the set.
    public let samples: [Int]

    public init(of count: Int, from source: any SampleSource, seed: UInt64) {
        var random = RandomStream(seed: seed, purpose: .order)
        samples = Array(random.permutation(source.count).prefix(count))
        self.source = source
    }

    public var name: String { source.name }
    public var fingerprint: Fingerprint { source.fingerprint }
}

extension Recipe {
    /// The samples that tell how good a recipe is: those of its evaluation section, else those it learns from.
    public func evaluationSource() throws -> any SampleSource {
        try source(data.evaluation ?? data.train)
    }

    /// The image of normalised pixels, (side, side, 3).
    func image(_ pixels: Floats) -> Image {
        evaluationTransform.normalisation.restore(pixels, height: images.size, width: images.size)
    }
}
