public import Autodiff
public import Kernels

/// fc2(drop(GELU(fc1(x)))), (…, C) to (…, C). Names follow timm.
public struct MLP {
    private let fc1: Linear
    private let activation: BiasGELU
    private let fc2: Linear
    private let dropout: Dropout

    /// - Parameters:
    ///   - initializer: initializer of `fc1.weight`.
    ///   - outputInit: initializer of `fc2.weight`, which some models scale down with depth.
    ///   - dropout: share of hidden values dropped in training, 0..<1.
    public init(
        _ scope: Scope, _ width: Int, hidden: Int, init initializer: Initializer, outputInit: Initializer,
        dropout: Double = 0
    ) {
        fc1 = Linear(weight: scope["fc1"].parameter("weight", [hidden, width], initializer), bias: .none)
        activation = BiasGELU(scope["fc1"].parameter("bias", [hidden], .zeros))
        fc2 = Linear(scope["fc2"], hidden, width, init: outputInit)
        self.dropout = Dropout(dropout)
    }

    public func callAsFunction(_ x: Tensor) -> Tensor { fc2(dropout(activation(fc1(x)))) }
}

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
