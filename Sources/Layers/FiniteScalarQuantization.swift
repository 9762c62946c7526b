public import Autodiff
import Glibc
public import Kernels

/// Finite scalar quantisation: each dimension i is bounded, b = tanh(z + atanh(o/h))·h − o with h = (l_i − 1)(1 + 1e-3)/2 and
/// o = 1/2 for even l_i, rounded half to even, and divided by floor(l_i/2). (…, D) to the same; the gradient passes straight
/// through the rounding: h(1 − tanh²)/floor(l_i/2). Saves the slopes. Source: arXiv 2309.15505.
public struct FiniteScalarQuantization: Operation {
    private let dimensions: [Dimension]

    /// - Parameter levels: l_i, one for each dimension, at least 2.
    public init(_ levels: [Int]) { dimensions = levels.map(Dimension.init) }

    public func callAsFunction(_ z: Tensor) -> Tensor { z.apply(self) }

    public var keeps: Kept { .nothing }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].channels == dimensions.count else {
            throw ShapeError(
                "input \(shapes[0]) has last extent \(shapes[0].channels), \(dimensions.count) have levels")
        }
        return shapes[0]
    }

    public func extra(for shapes: [Shape]) -> Extra { Extra(saved: shapes[0].count) }

    public func forward(_ at: Workspace) {
        at.pool.split(at.shapes[0].rows, grain: 256, (at.inputs[0], at.output, at.saved, dimensions)) {
            arguments, rows in
            let (z, y, saved, dimensions) = arguments
            for row in rows {
                for (index, dimension) in dimensions.enumerated() {
                    let place = row * dimensions.count + index
                    let bent = tanh(z[place] + dimension.shift)
                    y[place] = (bent * dimension.half - dimension.offset).rounded(.toNearestOrEven) / dimension.width
                    saved[place] = dimension.half * (1 - bent * bent) / dimension.width
                }
            }
        }
    }

    public func backward(_ at: Workspace) {
        guard let dz = at.inputGradients[0] else { return }
        at.pool.split(
            dz.count, grain: 16_384, (at.saved, at.outputGradient, dz, at.adds[0])
        ) { arguments, range in
            let (saved, dy, dz, adds) = arguments
            for place in range { dz[place] = (adds ? dz[place] : 0) + dy[place] * saved[place] }
        }
    }

    private struct Dimension: Sendable {
        /// h, o, atanh(o/h), floor(l/2).
        let half, offset, shift, width: Float

        init(_ levels: Int) {
            precondition(levels >= 2, "a dimension has levels")
            let (h, o) = (Double(levels - 1) * (1 + 1e-3) / 2, levels % 2 == 0 ? 0.5 : 0)
            (half, offset, shift, width) = (Float(h), Float(o), Float(atanh(o / h)), Float(levels / 2))
        }
    }
}

/// The number of each row of `FiniteScalarQuantization`: Σ (r_i + floor(l_i/2))·basis_i, the first dimension fastest. (B, N, D) to (B, N),
/// as floats; no gradient.
public struct LevelNumber: Operation {
    private let levels: [Int]

    public init(_ levels: [Int]) { self.levels = levels }

    public func callAsFunction(_ values: Tensor) -> Tensor { values.apply(self) }

    public var keeps: Kept { .nothing }
    public var stopsGradient: Bool { true }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        Shape(Array(shapes[0].extents.dropLast()))
    }

    public func forward(_ at: Workspace) {
        for row in 0..<at.output.count {
            var (number, basis) = (0, 1)
            for (index, levels) in levels.enumerated() {
                let steps = at.inputs[0][row * self.levels.count + index] * Float(levels / 2)
                // What is no number counts as the middle; the trainer skips such a step.
                number += ((steps.isFinite ? Int(steps.rounded()) : 0) + levels / 2) * basis
                basis *= levels
            }
            at.output[row] = Float(number)
        }
    }

    public func backward(_ at: Workspace) { preconditionFailure("a number of a code has no gradient") }

    /// The values of every number, (K, D) row by row.
    public static func codes(_ levels: [Int]) -> [Float] {
        (0..<levels.reduce(1, *)).flatMap { number -> [Float] in
            var rest = number
            return levels.map { levels in
                defer { rest /= levels }
                return Float(rest % levels - levels / 2) / Float(levels / 2)
            }
        }
    }
}
