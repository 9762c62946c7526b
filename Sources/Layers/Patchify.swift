public import Autodiff
public import Kernels

/// Cuts images into square patches: (B, H, W, C) to (B, H/p·W/p, C·p·p). A row holds one patch in the order (c, i, j),
/// which is the order of a convolution weight [E, C, p, p] and of a pixel shuffle by p. Keeps nothing.
public struct Patchify: Operation {
    private let patch: Int

    /// - Parameter patch: side of a patch in pixels.
    public init(patch: Int) { self.patch = patch }

    public func callAsFunction(_ images: Tensor) -> Tensor { images.apply(self) }

    public var keeps: Kept { .nothing }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].rank == 4, shapes[0][1] % patch == 0, shapes[0][2] % patch == 0 else {
            throw ShapeError("input \(shapes[0]) is not (batch, height, width, channels) in patches of \(patch)")
        }
        let image = shapes[0].extents
        return [image[0], image[1] / patch * (image[2] / patch), image[3] * patch * patch]
    }

    public func forward(_ at: Workspace) {
        let image = at.shapes[0]
        at.pool.patchify(
            at.inputs[0], into: at.output, batch: image[0], height: image[1], width: image[2], channels: image[3],
            patch: patch)
    }

    public func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        let image = at.shapes[0]
        at.pool.unpatchify(
            at.outputGradient, into: dx, adding: at.adds[0], batch: image[0], height: image[1], width: image[2],
            channels: image[3], patch: patch)
    }
}
