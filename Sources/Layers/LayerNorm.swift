public import Autodiff
public import Kernels

/// y = (x − mean) / √(variance + ε) ⊙ weight + bias over the last extent, biased variance.
/// (…, C) to (…, C), or (B, T, C) to (B·windows, T/windows, C) where the rows are read window by window.
/// Keeps its input and (mean, 1/σ) of each row.
public struct LayerNorm: Operation {
    private let weight: Parameter
    private let bias: Parameter
    private let epsilon: Float
    private let windows: WindowPartition?
    private var channels: Int { weight.shape.count }

    /// Declares `weight` (ones) and `bias` (zeros). Epsilon is the reference's: they differ between models.
    /// - Parameter windows: the output's rows follow this partition, which costs no pass of its own.
    public init(_ scope: Scope, _ channels: Int, epsilon: Double, into windows: WindowPartition? = nil) {
        weight = scope.parameter("weight", [channels], .ones)
        bias = scope.parameter("bias", [channels], .zeros)
        self.epsilon = Float(epsilon)
        self.windows = windows
    }

    public func callAsFunction(_ x: Tensor) -> Tensor { x.apply(self) }

    public var parameters: [Parameter] { [weight, bias] }
    public var keeps: Kept { .inputs }
    public var featureKind: IntermediateFeature.Kind? { .norm }
    public var isCheap: Bool { true }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].channels == channels else {
            throw ShapeError("input \(shapes[0]) has last extent \(shapes[0].channels), norm wants \(channels)")
        }
        guard let windows else { return shapes[0] }
        guard shapes[0].rank == 3, shapes[0][1] == windows.order.count else {
            throw ShapeError("input \(shapes[0]) is not (batch, \(windows.order.count) tokens, channels)")
        }
        return [shapes[0][0] * windows.count, shapes[0][1] / windows.count, channels]
    }

    public func extra(for shapes: [Shape]) -> Extra {
        let rows = shapes[0].rows
        return Extra(
            saved: 2 * rows, backwardScratch: WorkerPool.layerNormScratch(rows: rows, channels: channels))
    }

    public func forward(_ at: Workspace) {
        at.pool.layerNorm(
            at.inputs[0], order: windows?.order, weight: at.values[0], bias: at.values[1], epsilon: epsilon,
            into: at.output, statistics: at.saved, rows: at.shapes[0].rows, channels: channels)
    }

    public func backward(_ at: Workspace) {
        at.pool.layerNormBackward(
            at.inputs[0], order: windows?.order, weight: at.values[0], statistics: at.saved, at.outputGradient,
            into: at.inputGradients[0], adding: at.adds[0],
            weightGradient: at.gradients[0], biasGradient: at.gradients[1],
            addingParameters: at.addsToParameters[0],
            rows: at.shapes[0].rows, channels: channels, scratch: at.scratch)
    }
}
