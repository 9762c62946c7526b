public import Autodiff
public import Kernels

/// Σ over masked patches of the mean squared error of their pixels: Σ_r m_r · Σ_c (x − t)² / P.
/// x, t: (B, N, P); m: one number per patch, 1 = masked; out: (1). Keeps inputs; targets get no
/// gradient.
/// Source: code facebookresearch/mae; there the sum is divided by Σ m.
public struct MaskedSquaredError: Operation {
    public init() {}

    public func callAsFunction(_ predicted: Tensor, _ target: Tensor, mask: Tensor) -> Tensor {
        predicted.apply(self, target, mask)
    }

    public var keeps: Kept { .inputs }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0] == shapes[1], shapes[2].count == shapes[0].rows else {
            throw ShapeError("target \(shapes[1]) and mask \(shapes[2]) for a prediction \(shapes[0])")
        }
        return [1]
    }

    public func extra(for shapes: [Shape]) -> Extra { Extra(scratch: 2 * shapes[0].rows) }

    public func forward(_ at: Workspace) {
        let (rows, P) = (at.shapes[0].rows, at.shapes[0].channels)
        let errors = at.scratch[0..<2 * rows].viewed(as: Double.self)
        at.pool.split(rows, grain: 16, (at.inputs[0], at.inputs[1], at.inputs[2], errors, P)) { arguments, rows in
            let (x, t, mask, errors, P) = arguments
            for row in rows {
                errors[row] = 0
                if mask[row] == 0 { continue }
                let (x, t) = (x[row * P..<(row + 1) * P], t[row * P..<(row + 1) * P])
                var sum = 0.0
                for index in 0..<P { sum += Double(x[index] - t[index]) * Double(x[index] - t[index]) }
                errors[row] = Double(mask[row]) * sum / Double(P)
            }
        }
        // One sum over rows in their order, in Double.
        var sum = 0.0
        for row in 0..<rows { sum += errors[row] }
        at.output[0] = Float(sum)
    }

    public func backward(_ at: Workspace) {
        precondition(at.inputGradients[1] == nil, "targets are not trained")
        guard let dx = at.inputGradients[0] else { return }
        let (rows, P) = (at.shapes[0].rows, at.shapes[0].channels)
        let factor = 2 / Float(P) * at.outputGradient[0]
        at.pool.split(
            rows, grain: 16, (at.inputs[0], at.inputs[1], at.inputs[2], dx, P, factor, at.adds[0])
        ) { arguments, rows in
            let (x, t, mask, dx, P, factor, adds) = arguments
            for row in rows {
                let range = row * P..<(row + 1) * P
                let (x, t, dx, slope) = (x[range], t[range], dx[range], factor * mask[row])
                for index in 0..<P {
                    let value = slope * (x[index] - t[index])
                    dx[index] = adds ? dx[index] + value : value
                }
            }
        }
    }
}

/// Σ x in Double, as a tensor (1): of a mask, the number of masked patches. No gradient.
public struct Sum: Operation {
    public init() {}

    public func callAsFunction(_ x: Tensor) -> Tensor { x.apply(self) }

    public var keeps: Kept { .nothing }
    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { [1] }
    public func forward(_ at: Workspace) { at.output[0] = Float(at.pool.sum(at.inputs[0])) }
    public func backward(_ at: Workspace) { preconditionFailure("a count has no gradient") }
}
