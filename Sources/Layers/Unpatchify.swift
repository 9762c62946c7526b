public import Autodiff
public import Kernels

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
