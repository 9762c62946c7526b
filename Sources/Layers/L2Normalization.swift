public import Autodiff
public import Kernels

/// y = x / max(|x|, ε) for every row, (…, D) to the same; dx = (dy − (dy·y)·y) / |x|. Keeps its output, and 1/|x|.
public struct L2Normalization: Operation {
    private let epsilon: Float

    public init(epsilon: Double) { self.epsilon = Float(epsilon) }

    public func callAsFunction(_ x: Tensor) -> Tensor { x.apply(self) }

    public var keeps: Kept { .output }
    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { shapes[0] }
    public func extra(for shapes: [Shape]) -> Extra { Extra(saved: shapes[0].rows) }

    public func forward(_ at: Workspace) {
        let D = at.shapes[0].channels
        at.pool.split(
            at.shapes[0].rows, grain: 256, (at.inputs[0], at.output, at.saved, D, epsilon)
        ) { arguments, rows in
            let (x, y, saved, D, epsilon) = arguments
            for row in rows {
                var squares = 0.0
                for place in row * D..<(row + 1) * D { squares += Double(x[place]) * Double(x[place]) }
                // The spelling that keeps a number that is none.
                let size = Float(squares.squareRoot())
                saved[row] = 1 / (size < epsilon ? epsilon : size)
                for place in row * D..<(row + 1) * D { y[place] = x[place] * saved[row] }
            }
        }
    }

    public func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        let D = at.shapes[0].channels
        at.pool.split(
            at.shapes[0].rows, grain: 256, (at.output, at.outputGradient, at.saved, dx, D, at.adds[0])
        ) { arguments, rows in
            let (y, dy, saved, dx, D, adds) = arguments
            for row in rows {
                var along = 0.0
                for place in row * D..<(row + 1) * D { along += Double(dy[place]) * Double(y[place]) }
                for place in row * D..<(row + 1) * D {
                    let value = (dy[place] - Float(along) * y[place]) * saved[row]
                    dx[place] = adds ? dx[place] + value : value
                }
            }
        }
    }
}
