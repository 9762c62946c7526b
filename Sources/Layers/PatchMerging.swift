public import Autodiff
import Kernels

/// Halves a side × side grid: norm(x00 | x10 | x01 | x11)·Wᵀ, where x10 is the token in the odd row and even column.
/// (B, side², C) to (B, side²/4, 2·C). Names are the reference's. Source: arXiv 2103.14030.
public struct PatchMerging {
    private let joining: NeighbourJoining
    private let norm: LayerNorm
    private let reduction: Linear

    public init(_ scope: Scope, side: Int, channels: Int, epsilon: Double, init initializer: Initializer) {
        joining = NeighbourJoining(side: side)
        reduction = Linear(scope["reduction"], 4 * channels, 2 * channels, bias: false, init: initializer)
        norm = LayerNorm(scope["norm"], 4 * channels, epsilon: epsilon)
    }

    public func callAsFunction(_ x: Tensor) -> Tensor { reduction(norm(joining(x))) }
}

/// The channels of four neighbours as one row, in the order x00, x10, x01, x11.
/// (B, side², C) to (B, side²/4, 4·C). Keeps nothing.
struct NeighbourJoining: Operation {
    private let order: RowOrder

    /// - Parameter side: even.
    init(side: Int) {
        precondition(side > 0 && side % 2 == 0, "an odd grid cannot be halved")
        order = RowOrder(
            (0..<side * side).map { place in
                let (cell, corner) = (place / 4, place % 4)
                let y = 2 * (cell / (side / 2)) + corner % 2, x = 2 * (cell % (side / 2)) + corner / 2
                return y * side + x
            })
    }

    func callAsFunction(_ x: Tensor) -> Tensor { x.apply(self) }

    var keeps: Kept { .nothing }

    func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].rank == 3, shapes[0][1] == order.count else {
            throw ShapeError("input \(shapes[0]) is not (batch, \(order.count) tokens, channels)")
        }
        let (B, N, C) = shapes[0].three
        return [B, N / 4, 4 * C]
    }

    func forward(_ at: Workspace) {
        at.pool.reorderRows(at.inputs[0], order, into: at.output, channels: at.shapes[0].channels)
    }

    func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        at.pool.reorderRows(
            at.outputGradient, order.reversed, into: dx, adding: at.adds[0], channels: at.shapes[0].channels)
    }
}
