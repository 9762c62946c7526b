public import Autodiff
public import Kernels

/// Mean over those tokens of every sample that lie in a range, (B, T, C) to (B, C). Keeps nothing.
/// Drops a class token (1 ..< T) or reads it alone (0 ..< 1).
public struct MeanPooling: Operation {
    private let tokens: Range<Int>

    public init(_ tokens: Range<Int>) { self.tokens = tokens }

    public func callAsFunction(_ x: Tensor) -> Tensor { x.apply(self) }

    public var keeps: Kept { .nothing }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].rank == 3, !tokens.isEmpty, tokens.upperBound <= shapes[0][1] else {
            throw ShapeError("input \(shapes[0]) has no tokens \(tokens)")
        }
        return [shapes[0][0], shapes[0][2]]
    }

    public func forward(_ at: Workspace) {
        let shape = at.shapes[0].three
        at.pool.split(shape.0, grain: 1, (at.inputs[0], at.output, shape, tokens)) { arguments, samples in
            let (x, y, (_, T, C), tokens) = arguments
            for sample in samples {
                let mean = y[sample * C..<(sample + 1) * C]
                mean.fill(0)
                for token in tokens {
                    let start = (sample * T + token) * C
                    mean.take(x[start..<start + C], adding: true)
                }
                for channel in 0..<C { mean[channel] /= Float(tokens.count) }
            }
        }
    }

    public func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        let shape = at.shapes[0].three
        at.pool.split(shape.0, grain: 1, (dx, at.outputGradient, shape, tokens, at.adds[0])) { arguments, samples in
            let (dx, dy, (_, T, C), tokens, adds) = arguments
            let share = 1 / Float(tokens.count)
            for sample in samples {
                for token in 0..<T {
                    let row = dx[(sample * T + token) * C..<(sample * T + token + 1) * C]
                    if !adds { row.fill(0) }
                    if !tokens.contains(token) { continue }
                    for channel in 0..<C { row[channel] += share * dy[sample * C + channel] }
                }
            }
        }
    }
}
