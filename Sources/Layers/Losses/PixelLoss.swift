public import Autodiff
public import Kernels

/// Σ over samples of (mean (y − x)² + λ·mean |y − x|) over their numbers. y, x: (B, …); out: (1). Keeps inputs; targets get no
/// gradient.
public struct PixelLoss: Operation {
    private let absolute: Float

    /// - Parameter absolute: λ.
    public init(absolute: Double) { self.absolute = Float(absolute) }

    public func callAsFunction(_ predicted: Tensor, _ target: Tensor) -> Tensor { predicted.apply(self, target) }

    public var keeps: Kept { .inputs }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0] == shapes[1] else { throw ShapeError("target \(shapes[1]) for a prediction \(shapes[0])") }
        return [1]
    }

    /// One Double for each sample.
    public func extra(for shapes: [Shape]) -> Extra { Extra(scratch: 2 * shapes[0][0]) }

    public func forward(_ at: Workspace) {
        let (samples, count) = (at.shapes[0][0], at.shapes[0].count / at.shapes[0][0])
        let sums = at.scratch[0..<2 * samples].viewed(as: Double.self)
        at.pool.split(samples, grain: 1, (at.inputs[0], at.inputs[1], sums, count, absolute)) { arguments, samples in
            let (y, x, sums, count, absolute) = arguments
            for sample in samples {
                var (squares, sizes) = (0.0, 0.0)
                for place in sample * count..<(sample + 1) * count {
                    let distance = Double(y[place] - x[place])
                    squares += distance * distance
                    sizes += abs(distance)
                }
                sums[sample] = (squares + Double(absolute) * sizes) / Double(count)
            }
        }
        var sum = 0.0
        for sample in 0..<samples { sum += sums[sample] }
        at.output[0] = Float(sum)
    }

    public func backward(_ at: Workspace) {
        precondition(at.inputGradients[1] == nil, "targets are not trained")
        guard let dy = at.inputGradients[0] else { return }
        let count = at.shapes[0].count / at.shapes[0][0]
        let factor = at.outputGradient[0] / Float(count)
        at.pool.split(
            at.inputs[0].count, grain: 16_384, (at.inputs[0], at.inputs[1], dy, factor, absolute, at.adds[0])
        ) { arguments, range in
            let (y, x, dy, factor, absolute, adds) = arguments
            for place in range {
                let distance = y[place] - x[place]
                let side: Float = distance > 0 ? absolute : distance < 0 ? -absolute : 0
                let value = factor * (2 * distance + side)
                dy[place] = adds ? dy[place] + value : value
            }
        }
    }
}
