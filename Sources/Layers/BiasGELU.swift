public import Autodiff
public import Kernels

/// y = GELU(x + b), GELU(z) = z·Φ(z) with the exact error function; one pass over a product without its bias.
/// (…, C) to (…, C). Keeps its input.
public struct BiasGELU: Operation {
    private let bias: Parameter
    private var channels: Int { bias.shape.count }

    /// - Parameter bias: the bias of the linear map before, under that map's name (`mlp.fc1.bias`).
    public init(_ bias: Parameter) { self.bias = bias }

    public func callAsFunction(_ x: Tensor) -> Tensor { x.apply(self) }

    public var parameters: [Parameter] { [bias] }
    public var keeps: Kept { .inputs }
    public var isCheap: Bool { true }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].channels == channels else {
            throw ShapeError("input \(shapes[0]) has last extent \(shapes[0].channels), bias wants \(channels)")
        }
        return shapes[0]
    }

    public func extra(for shapes: [Shape]) -> Extra {
        Extra(backwardScratch: WorkerPool.biasGELUScratch(rows: shapes[0].rows, channels: channels))
    }

    public func forward(_ at: Workspace) {
        at.pool.biasGELU(
            at.inputs[0], bias: at.values[0], into: at.output, rows: at.shapes[0].rows, channels: channels)
    }

    public func backward(_ at: Workspace) {
        // The output gradient has no reader left: it takes the result where only the bias is trained.
        let dx = at.inputGradients[0] ?? at.outputGradient
        at.pool.biasGELUBackward(
            at.inputs[0], bias: at.values[0], at.outputGradient, into: dx, adding: at.adds[0],
            biasGradient: at.gradients[0], addingBias: at.addsToParameters[0],
            rows: at.shapes[0].rows, channels: channels, scratch: at.scratch)
    }
}
