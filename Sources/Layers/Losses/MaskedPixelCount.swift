public import Autodiff
public import Kernels

/// The weight of `MaskedPixelLoss`: C · (masked pixels + 1e-5), where a pixel counts once for all its channels.
/// m: (B, …) cells, 1 = masked; out: (1). Keeps nothing; a mask gets no gradient.
public struct MaskedPixelCount: Operation {
    private let channels: Int
    private let pixelsPerCell: Int

    public init(channels: Int, pixelsPerCell: Int) {
        self.channels = channels
        self.pixelsPerCell = pixelsPerCell
    }

    public func callAsFunction(_ mask: Tensor) -> Tensor { mask.apply(self) }

    public var keeps: Kept { .nothing }
    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { [1] }

    public func forward(_ at: Workspace) {
        let pixels = at.pool.sum(at.inputs[0]) * Double(pixelsPerCell)
        at.output[0] = Float(Double(channels) * (pixels + 1e-5))
    }

    public func backward(_ at: Workspace) {}
}
