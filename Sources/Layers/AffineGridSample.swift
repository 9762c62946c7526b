public import Autodiff
public import Kernels

/// Maps moved in space: affine maps one after the other, then a part resized. (B, S, S, C) to (B, s, s, C).
/// The second input, (B, `MapGeometry.floats`), says what happens to each sample; it gets no gradient and is kept.
public struct AffineGridSample: Operation {
    private let side: Int

    /// - Parameter side: s.
    public init(side: Int) { self.side = side }

    public func callAsFunction(_ maps: Tensor, _ geometry: Tensor) -> Tensor { maps.apply(self, geometry) }

    public var keeps: Kept { .input(1) }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].rank == 4, shapes[0][1] == shapes[0][2] else {
            throw ShapeError("input \(shapes[0]) is not (batch, side, side, channels)")
        }
        guard shapes[1] == [shapes[0][0], MapGeometry.floats] else {
            throw ShapeError("geometry \(shapes[1]) for \(shapes[0][0]) maps")
        }
        return [shapes[0][0], side, side, shapes[0][3]]
    }

    public func extra(for shapes: [Shape]) -> Extra {
        Extra(scratch: 2 * shapes[0].count, backwardScratch: 2 * shapes[0].count)
    }

    public func forward(_ at: Workspace) {
        let (shape, side) = (at.shapes[0], side)
        at.pool.split(shape[0], grain: 1, (at.inputs[0], at.inputs[1], at.output, at.scratch, shape, side)) {
            arguments, samples in
            let (x, geometry, y, scratch, shape, side) = arguments
            let (count, result) = (shape[1] * shape[2] * shape[3], side * side * shape[3])
            for sample in samples {
                MapGeometry.stored(geometry, sample).apply(
                    x[sample * count..<(sample + 1) * count], side: shape[1], channels: shape[3],
                    into: y[sample * result..<(sample + 1) * result], side,
                    scratch: scratch[2 * sample * count..<2 * (sample + 1) * count])
            }
        }
    }

    public func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        let (shape, side) = (at.shapes[0], side)
        at.pool.split(
            shape[0], grain: 1, (dx, at.inputs[1], at.outputGradient, at.scratch, shape, side, at.adds[0])
        ) { arguments, samples in
            let (dx, geometry, dy, scratch, shape, side, adds) = arguments
            let (count, result) = (shape[1] * shape[2] * shape[3], side * side * shape[3])
            for sample in samples {
                let gradient = MapGeometry.stored(geometry, sample).applyBackward(
                    dy[sample * result..<(sample + 1) * result], side, side: shape[1], channels: shape[3],
                    scratch: scratch[2 * sample * count..<2 * (sample + 1) * count])
                dx[sample * count..<(sample + 1) * count].take(gradient, adding: adds)
            }
        }
    }
}
