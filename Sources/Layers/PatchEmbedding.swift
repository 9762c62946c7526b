public import Autodiff
public import Kernels

/// A convolution whose stride is its kernel: (B, H, W, C) to (B, H/p·W/p, E), tokens row-major.
/// Names follow timm: `proj.weight` [E, C, p, p], `proj.bias` [E].
public struct PatchEmbedding {
    private let patchify: Patchify
    private let projection: Linear

    public init(
        _ scope: Scope, channels: Int, patch: Int, width: Int, init initializer: Initializer,
        biasInit: Initializer = .zeros
    ) {
        patchify = Patchify(patch: patch)
        projection = Linear(
            weight: scope["proj"].parameter("weight", [width, channels, patch, patch], initializer),
            bias: .full(scope["proj"].parameter("bias", [width], biasInit)))
    }

    public func callAsFunction(_ images: Tensor) -> Tensor { projection(patchify(images)) }
}

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

/// Maps restored from rows: (B, h·w, C·p·p), a row in the order (c, i, j), to (B, h·p, w·p, C), h = w. The inverse of
/// `Patchify`. Keeps nothing.
public struct Unpatchify: Operation {
    private let patch: Int

    /// - Parameter patch: side of a patch.
    public init(patch: Int) { self.patch = patch }

    public func callAsFunction(_ rows: Tensor) -> Tensor { rows.apply(self) }

    public var keeps: Kept { .nothing }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        let side = shapes[0].rank == 3 ? Int(Double(shapes[0][1]).squareRoot().rounded()) : 0
        guard side > 0, side * side == shapes[0][1], shapes[0][2] % (patch * patch) == 0 else {
            throw ShapeError("input \(shapes[0]) is not (batch, side², channels · \(patch * patch))")
        }
        return [shapes[0][0], side * patch, side * patch, shapes[0][2] / (patch * patch)]
    }

    public func extra(for shapes: [Shape]) -> Extra { Extra(backwardScratch: shapes[0].count) }

    public func forward(_ at: Workspace) {
        let (B, side, channels) = extents(at)
        at.pool.unpatchify(
            at.inputs[0], into: at.output, batch: B, height: side, width: side, channels: channels, patch: patch)
    }

    public func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        let (B, side, channels) = extents(at)
        let rows = at.adds[0] ? at.scratch[0..<dx.count] : dx
        at.pool.patchify(
            at.outputGradient, into: rows, batch: B, height: side, width: side, channels: channels, patch: patch)
        if at.adds[0] { at.pool.copy(rows, into: dx, adding: true) }
    }

    private func extents(_ at: Workspace) -> (batch: Int, side: Int, channels: Int) {
        let (B, N, C) = at.shapes[0].three
        return (B, Int(Double(N).squareRoot().rounded()) * patch, C / (patch * patch))
    }
}
