public import Autodiff
public import Kernels

/// y = x + keep[b]·γ ⊙ f: the residual stream and one branch.
/// x, f: (B, …, C); γ: [C], optional (layer scale); keep: (B), optional (drop path). Keeps f when γ is trained, and
/// keep. A branch whose rows lie window by window, (B·windows, T/windows, C), is restored to the order of x (B, T, C).
/// The gradient of x is the gradient of y, unchanged.
public struct Residual: Operation {
    private let scale: Parameter?
    private let windows: WindowPartition?

    /// - Parameters:
    ///   - scale: γ, the factor of each channel of the branch.
    ///   - windows: how the rows of the branch lie.
    public init(scale: Parameter? = nil, from windows: WindowPartition? = nil) {
        self.scale = scale
        self.windows = windows
    }

    public func callAsFunction(_ x: Tensor, _ branch: Tensor, keep: Tensor? = nil) -> Tensor {
        if let keep { x.apply(self, branch, keep) } else { x.apply(self, branch) }
    }

    public var parameters: [Parameter] { scale.map { [$0] } ?? [] }
    public var keeps: Kept { scale == nil ? .input(2) : .input(1).union(.input(2)) }
    public var passesGradientTo: Int? { 0 }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[1] == branchShape(shapes[0]) else {
            throw ShapeError("branch \(shapes[1]) is added to \(shapes[0])")
        }
        if let scale, scale.shape.count != shapes[0].channels {
            throw ShapeError(
                "branch \(shapes[1]) has last extent \(shapes[1].channels), scale wants \(scale.shape.count)")
        }
        if shapes.count > 2, shapes[2] != [shapes[0][0]] {
            throw ShapeError("keep factors \(shapes[2]) for \(shapes[0][0]) samples")
        }
        return shapes[0]
    }

    public func extra(for shapes: [Shape]) -> Extra {
        guard scale != nil else { return Extra() }
        return Extra(
            backwardScratch: WorkerPool.residualScratch(rows: shapes[0].rows, channels: shapes[0].channels))
    }

    public func forward(_ at: Workspace) {
        let (samples, rows, channels) = extents(at.shapes[0])
        at.pool.residual(
            at.inputs[0], at.inputs[1], order: windows?.order, scale: at.values.first,
            keep: at.inputs.count > 2 ? at.inputs[2] : nil, into: at.output, samples: samples, rowsPerSample: rows,
            channels: channels)
    }

    public func backward(_ at: Workspace) {
        let (samples, rows, channels) = extents(at.shapes[0])
        at.pool.residualBackward(
            at.inputs[1], order: windows?.order, scale: at.values.first,
            keep: at.inputs.count > 2 ? at.inputs[2] : nil, at.outputGradient, into: at.inputGradients[1],
            adding: at.adds[1],
            scaleGradient: at.gradients.first ?? nil, addingScale: at.addsToParameters.first ?? false,
            samples: samples, rowsPerSample: rows, channels: channels, scratch: at.scratch)
    }

    /// The branch that fits x; nil where the windows do not.
    private func branchShape(_ x: Shape) -> Shape? {
        guard let windows else { return x }
        guard x.rank == 3, x[1] == windows.order.count else { return nil }
        return [x[0] * windows.count, x[1] / windows.count, x[2]]
    }

    private func extents(_ shape: Shape) -> (samples: Int, rowsPerSample: Int, channels: Int) {
        (shape[0], shape.rows / shape[0], shape.channels)
    }
}
