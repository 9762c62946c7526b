public import Autodiff
public import Kernels

/// The tokens of every sample that lie in one range: (B, T, C) to (B, range, C). Keeps nothing.
/// Drops a class token (1 ..< T) or reads it out (0 ..< 1).
public struct TokenRange: Operation {
    private let range: Range<Int>

    public init(_ range: Range<Int>) { self.range = range }

    public func callAsFunction(_ x: Tensor) -> Tensor { x.apply(self) }

    public var keeps: Kept { .nothing }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].rank == 3, range.upperBound <= shapes[0][1] else {
            throw ShapeError("input \(shapes[0]) has no tokens \(range)")
        }
        return [shapes[0][0], range.count, shapes[0][2]]
    }

    public func forward(_ at: Workspace) {
        let (B, T, C) = at.shapes[0].three
        at.pool.split(B, grain: 1, (at.inputs[0], at.output, T * C, range.lowerBound * C, range.count * C)) {
            arguments, samples in
            let (x, y, whole, skipped, taken) = arguments
            for sample in samples {
                let start = sample * whole + skipped
                y[sample * taken..<(sample + 1) * taken].copy(from: x[start..<start + taken])
            }
        }
    }

    public func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        let (B, T, C) = at.shapes[0].three
        at.pool.split(B, grain: 1, (dx, at.outputGradient, T * C, range.lowerBound * C, range.count * C, at.adds[0])) {
            arguments, samples in
            let (dx, dy, whole, skipped, taken, adds) = arguments
            for sample in samples {
                if !adds { dx[sample * whole..<(sample + 1) * whole].fill(0) }
                let start = sample * whole + skipped
                dx[start..<start + taken].take(dy[sample * taken..<(sample + 1) * taken], adding: adds)
            }
        }
    }
}
