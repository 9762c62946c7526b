public import Autodiff
public import Kernels

/// One step of iterative shrinkage against a square dictionary W, with non-negative codes:
/// y = max(x + η·(x − x·Wᵀ)·W − η·λ, 0). (…, C) to (…, C); W: [C, C]. There is no residual connection around it.
///
/// The reference evaluates it with three products of all rows, the formula above takes two. Here W is folded once a
/// step, T = I + η·(Wᵀ − Wᵀ·W), and y = max(x·Tᵀ − η·λ, 0) is the same function with one product of all rows and one of
/// C × C. Its gradient, with g = dy where y > 0, takes two of each:
///   dx = g·T,  dT = gᵀ·x,  dW = η·(dTᵀ − W·(dT + dTᵀ)).
/// Keeps its input and output, and saves T. Source: arXiv 2306.01129, code Ma-Lab-Berkeley/CRATE.
public struct ISTA: Operation {
    private let weight: Parameter
    private let step: Float
    private let threshold: Float
    private var channels: Int { weight.shape[0] }

    /// Declares `weight` [C, C].
    /// - Parameters:
    ///   - step: η, the step size.
    ///   - threshold: λ, the weight of the ℓ1 norm; η·λ is subtracted from every entry.
    public init(_ scope: Scope, _ channels: Int, step: Double, threshold: Double, init initializer: Initializer) {
        weight = scope.parameter("weight", [channels, channels], initializer)
        self.step = Float(step)
        self.threshold = Float(threshold)
    }

    public func callAsFunction(_ x: Tensor) -> Tensor { x.apply(self) }

    public var parameters: [Parameter] { [weight] }
    public var keeps: Kept { .inputs.union(.output) }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].channels == channels else {
            throw ShapeError("input \(shapes[0]) has last extent \(shapes[0].channels), dictionary wants \(channels)")
        }
        return shapes[0]
    }

    public func extra(for shapes: [Shape]) -> Extra {
        Extra(saved: channels * channels, scratch: channels, backwardScratch: 2 * channels * channels)
    }

    public func flops(for shapes: [Shape]) -> Int { 2 * (shapes[0].rows + channels) * channels * channels }

    public func forward(_ at: Workspace) {
        fold(at.values[0], into: at.saved, at.pool)
        let offset = at.scratch[0..<channels]
        offset.fill(-step * threshold)
        at.pool.linear(
            at.inputs[0], weight: at.saved, bias: offset, into: at.output, rows: at.shapes[0].rows, inputs: channels,
            outputs: channels)
        at.pool.relu(at.output, into: at.output)
    }

    public func backward(_ at: Workspace) {
        let rows = at.shapes[0].rows
        // The output gradient has no reader left: it takes the gradient before the threshold.
        at.pool.reluBackward(at.output, at.outputGradient, into: at.outputGradient)
        let g = Matrix(at.outputGradient, rows: rows, columns: channels)
        if let dx = at.inputGradients[0] {
            at.pool.multiply(g, square(at.saved), into: Matrix(dx, rows: rows, columns: channels), adding: at.adds[0])
        }
        guard let dw = at.gradients[0] else { return }
        let dt = at.scratch[0..<channels * channels]
        let both = at.scratch[channels * channels..<2 * channels * channels]
        at.pool.multiply(g.transposed, Matrix(at.inputs[0], rows: rows, columns: channels), into: square(dt))
        both.copy(from: dt)
        at.pool.transpose(dt, into: both, side: channels, adding: true)
        at.pool.transpose(dt, into: dw, side: channels, scale: step, adding: at.addsToParameters[0])
        at.pool.multiply(square(at.values[0]), square(both), into: square(dw), scale: -step, adding: true)
    }

    /// T = I + η·(Wᵀ − Wᵀ·W)
    private func fold(_ weight: Floats, into folded: Floats, _ pool: WorkerPool) {
        pool.transpose(weight, into: folded, side: channels, scale: step)
        for index in 0..<channels { folded[index * channels + index] += 1 }
        pool.multiply(square(weight).transposed, square(weight), into: square(folded), scale: -step, adding: true)
    }

    private func square(_ floats: Floats) -> Matrix { Matrix(floats, rows: channels, columns: channels) }
}
