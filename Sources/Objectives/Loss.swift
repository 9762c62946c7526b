public import Autodiff
public import Models

/// A loss as the numerator and denominator of a mean, so that micro-batches and ranks can be added before dividing.
/// Gradients are those of `sum`.
public struct Loss {
    /// A scalar with a gradient.
    public var sum: Tensor
    /// A scalar without one.
    public let weight: Tensor
    /// What the encoder made of the batch on the way, (B, N, F), for those who want to look on; nil where a method shows
    /// nothing.
    public var features: Tensor?
    /// The targets of early-learning regularisation after this step, (B, classes).
    public var rows: Tensor?
    /// What a quantiser made of the batch; nil for a method without one.
    public var quantized: Quantized?

    public struct Quantized {
        public let output: VectorQuantizer.Output
        /// Σ over samples of the mean square of the pixels' error, (1), without a gradient.
        public let squaredError: Tensor

        public init(output: VectorQuantizer.Output, squaredError: Tensor) {
            (self.output, self.squaredError) = (output, squaredError)
        }
    }

    public init(sum: Tensor, weight: Tensor) {
        self.sum = sum
        self.weight = weight
    }
}

/// The inputs of one step.
public struct BatchTensors {
    /// Normalised pixels, (B, H, W, C); of tokens the ids, C = 1, or the code vectors, C = D, as the method declares it.
    public let images: Tensor
    /// One number per patch of the encoder, 1 = masked: (B, S/p, S/p).
    public let mask: Tensor?
    /// Target probabilities, (B, classes).
    public let targets: Tensor?
    /// What early-learning regularisation reads.
    public var early: EarlyLearningTensors?

    public init(images: Tensor, mask: Tensor? = nil, targets: Tensor? = nil) {
        self.images = images
        self.mask = mask
        self.targets = targets
    }
}
