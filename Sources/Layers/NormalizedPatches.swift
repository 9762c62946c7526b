public import Autodiff
public import Kernels

/// y = (x − mean)/√(variance + 1e-6) over each row, with the variance divided by P − 1, as the target of masked
/// auto-encoders has it. (…, P) to (…, P). No gradient.
/// Source: code facebookresearch/mae (`norm_pix_loss`).
public struct NormalizedPatches: Operation {
    public init() {}

    public func callAsFunction(_ x: Tensor) -> Tensor { x.apply(self) }

    public var keeps: Kept { .nothing }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].channels > 1 else { throw ShapeError("input \(shapes[0]) has rows of one number") }
        return shapes[0]
    }

    public func forward(_ at: Workspace) {
        let (rows, P) = (at.shapes[0].rows, at.shapes[0].channels)
        at.pool.split(rows, grain: 16, (at.inputs[0], at.output, P)) { arguments, rows in
            let (x, y, P) = arguments
            for row in rows {
                let (from, to) = (x[row * P..<(row + 1) * P], y[row * P..<(row + 1) * P])
                let (mean, std) = from.patchStatistics
                for index in 0..<P { to[index] = Float((Double(from[index]) - mean) / std) }
            }
        }
    }

    public func backward(_ at: Workspace) { preconditionFailure("targets are not trained") }
}

extension Buffer<Float> {
    /// Mean and √(variance + 1e-6) of the pixels of a patch, in Double.
    var patchStatistics: (mean: Double, std: Double) {
        var sum = 0.0
        for index in 0..<count { sum += Double(self[index]) }
        let mean = sum / Double(count)
        var squares = 0.0
        for index in 0..<count { squares += (Double(self[index]) - mean) * (Double(self[index]) - mean) }
        return (mean, (squares / Double(count - 1) + 1e-6).squareRoot())
    }
}
