public import Autodiff
public import Kernels

/// A transposed convolution whose stride is its kernel: every token becomes a patch, (B, N, E) to (B, N, C·p·p) in the
/// order (c, i, j). weight: [E, C, p, p], bias: [C], as PyTorch's ConvTranspose2d has them. Keeps its input.
public struct PatchDeconvolution: Operation {
    private let weight, bias: Parameter
    private var inputs: Int { weight.shape[0] }
    private var outputs: Int { weight.shape.count / inputs }
    private var channels: Int { bias.shape.count }

    /// Declares `weight` and `bias` in `scope`.
    public init(
        _ scope: Scope, _ inputs: Int, channels: Int, patch: Int, init initializer: Initializer, biasInit: Initializer
    ) {
        weight = scope.parameter("weight", [inputs, channels, patch, patch], initializer)
        bias = scope.parameter("bias", [channels], biasInit)
    }

    public func callAsFunction(_ x: Tensor) -> Tensor { x.apply(self) }

    public var parameters: [Parameter] { [weight, bias] }
    public var keeps: Kept { .inputs }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].channels == inputs else {
            throw ShapeError("input \(shapes[0]) has last extent \(shapes[0].channels), weight wants \(inputs)")
        }
        return Shape(shapes[0].extents.dropLast() + [outputs])
    }

    public func extra(for shapes: [Shape]) -> Extra {
        Extra(
            scratch: outputs,
            backwardScratch: outputs + WorkerPool.columnSumScratch(rows: shapes[0].rows, channels: outputs))
    }

    public func flops(for shapes: [Shape]) -> Int { 2 * shapes[0].rows * inputs * outputs }

    public func forward(_ at: Workspace) {
        let rows = at.shapes[0].rows
        let (row, area) = (at.scratch[0..<outputs], outputs / channels)
        for place in 0..<outputs { row[place] = at.values[1][place / area] }
        at.pool.fillRows(row, into: at.output, rows: rows)
        at.pool.multiply(
            Matrix(at.inputs[0], rows: rows, columns: inputs), Matrix(at.values[0], rows: inputs, columns: outputs),
            into: Matrix(at.output, rows: rows, columns: outputs), adding: true)
    }

    public func backward(_ at: Workspace) {
        let rows = at.shapes[0].rows
        let dy = Matrix(at.outputGradient, rows: rows, columns: outputs)
        if let dx = at.inputGradients[0] {
            at.pool.multiply(
                dy, Matrix(at.values[0], rows: inputs, columns: outputs).transposed,
                into: Matrix(dx, rows: rows, columns: inputs), adding: at.adds[0])
        }
        if let dw = at.gradients[0] {
            at.pool.multiply(
                Matrix(at.inputs[0], rows: rows, columns: inputs).transposed, dy,
                into: Matrix(dw, rows: inputs, columns: outputs), adding: at.addsToParameters[0])
        }
        guard let db = at.gradients[1] else { return }
        let (sums, area) = (at.scratch[0..<outputs], outputs / channels)
        at.pool.columnSums(
            at.outputGradient, rows: rows, channels: outputs, into: sums, adding: false,
            scratch: at.scratch[outputs..<at.scratch.count])
        for channel in 0..<channels {
            var sum: Float = at.addsToParameters[1] ? db[channel] : 0
            for place in channel * area..<(channel + 1) * area { sum += sums[place] }
            db[channel] = sum
        }
    }
}
