public import Autodiff
public import Kernels

/// y = x·(1 − m) + token·m: one learned vector in the place of every masked token.
/// x: (B, T, C); m: as many entries as rows of x, not 0 = masked; token: [1, 1, C]. Keeps m.
public struct MaskToken: Operation {
    private let token: Parameter

    /// Declares the token [1, 1, C].
    /// - Parameter name: the reference's.
    public init(_ scope: Scope, name: String = "mask_token", _ channels: Int, init initializer: Initializer) {
        token = scope.parameter(name, [1, 1, channels], initializer)
    }

    public func callAsFunction(_ x: Tensor, mask: Tensor) -> Tensor { x.apply(self, mask) }

    public var parameters: [Parameter] { [token] }
    public var keeps: Kept { .input(1) }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].channels == token.shape.count else {
            throw ShapeError("input \(shapes[0]) has last extent \(shapes[0].channels), token \(token.shape.count)")
        }
        guard shapes[1].count == shapes[0].rows else {
            throw ShapeError("mask \(shapes[1]) for \(shapes[0].rows) tokens")
        }
        return shapes[0]
    }

    public func extra(for shapes: [Shape]) -> Extra {
        Extra(
            backwardScratch: WorkerPool.maskedReplaceScratch(
                rows: shapes[0].rows, channels: shapes[0].channels))
    }

    public func forward(_ at: Workspace) {
        at.pool.maskedReplace(
            at.inputs[0], mask: at.inputs[1], token: at.values[0], into: at.output,
            rows: at.shapes[0].rows, channels: at.shapes[0].channels)
    }

    public func backward(_ at: Workspace) {
        at.pool.maskedReplaceBackward(
            mask: at.inputs[1], at.outputGradient, into: at.inputGradients[0], adding: at.adds[0],
            tokenGradient: at.gradients[0], addingToken: at.addsToParameters[0],
            rows: at.shapes[0].rows, channels: at.shapes[0].channels, scratch: at.scratch)
    }
}
