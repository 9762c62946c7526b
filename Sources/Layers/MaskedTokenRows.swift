public import Autodiff
public import Kernels

/// The part that a place of the patch grid plays in masked token modelling, as the mask of a step says it.
public enum TokenMaskState {
    public static let visible: Float = 0
    /// Shown to the encoder as a mask token, to be predicted.
    public static let masked: Float = 1
    /// Masked, and kept from the encoder.
    public static let dropped: Float = 2
}

/// Rows of a sequence that begins with a class token, moved by the mask (B, …) of `TokenMaskState`s that comes second.
/// Saves the table of rows as integers.
public struct MaskedTokenRows: Operation {
    public enum Move: Sendable {
        /// (B, 1 + L, C) to (B, 1 + kept, C): without the dropped tokens; the others keep their order.
        case leaveOut(kept: Int)
        /// (B, 1 + kept, C) to (B, 1 + L, C): every visible token at its place, a copy of the class token at every
        /// masked one, dropped or not.
        case putBack
    }

    private let move: Move

    public init(_ move: Move) { self.move = move }

    public func callAsFunction(_ x: Tensor, mask: Tensor) -> Tensor { x.apply(self, mask) }

    public var keeps: Kept { .nothing }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].rank == 3, shapes[1].count % shapes[0][0] == 0 else {
            throw ShapeError("mask \(shapes[1]) for an input \(shapes[0])")
        }
        let (B, T, C) = shapes[0].three
        let L = shapes[1].count / B
        switch move {
        case .leaveOut(let kept):
            guard T == L + 1, kept <= L else {
                throw ShapeError("input \(shapes[0]) is not (batch, 1 + \(L), channels)")
            }
            return [B, kept + 1, C]
        case .putBack: return [B, L + 1, C]
        }
    }

    /// The mask's length and a class token for each sample are the longer side of both moves.
    public func extra(for shapes: [Shape]) -> Extra { Extra(saved: shapes[1].count + shapes[0][0]) }

    public func forward(_ at: Workspace) {
        let table = table(at)
        switch move {
        case .leaveOut: fillKept(table, at)
        case .putBack: fillPlaces(table, at)
        }
        at.pool.gatherRows(at.inputs[0], table: table, into: at.output, channels: at.shapes[0].channels)
    }

    public func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        at.pool.scatterAddRows(
            at.outputGradient, table: table(at), into: dx, adding: at.adds[0], channels: at.shapes[0].channels)
    }

    /// One entry for each row of the output.
    private func table(_ at: Workspace) -> Indices {
        let L = at.shapes[1].count / at.shapes[0][0]
        let rows =
            switch move {
            case .leaveOut(let kept): kept + 1
            case .putBack: L + 1
            }
        return at.saved[0..<at.shapes[0][0] * rows].viewed(as: Int32.self)
    }

    private func fillKept(_ table: Indices, _ at: Workspace) {
        let (B, T, _) = at.shapes[0].three
        let rows = table.count / B
        for sample in 0..<B {
            table[sample * rows] = Int32(sample * T)
            var next = 1
            for place in 0..<T - 1 where at.inputs[1][sample * (T - 1) + place] != TokenMaskState.dropped {
                precondition(next < rows, "a mask that drops too few tokens")
                table[sample * rows + next] = Int32(sample * T + 1 + place)
                next += 1
            }
            precondition(next == rows, "a mask that drops too many tokens")
        }
    }

    private func fillPlaces(_ table: Indices, _ at: Workspace) {
        let (B, T, _) = at.shapes[0].three
        let rows = table.count / B
        for sample in 0..<B {
            table[sample * rows] = Int32(sample * T)
            var next = 1
            for place in 0..<rows - 1 {
                let state = at.inputs[1][sample * (rows - 1) + place]
                table[sample * rows + 1 + place] = Int32(sample * T + (state == TokenMaskState.visible ? next : 0))
                if state != TokenMaskState.dropped { next += 1 }
            }
        }
    }
}

/// Masked places of a mask of `TokenMaskState`s, (1). No gradient.
public struct MaskedTokenCount: Operation {
    public init() {}

    public func callAsFunction(_ mask: Tensor) -> Tensor { mask.apply(self) }

    public var keeps: Kept { .nothing }
    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { [1] }

    public func forward(_ at: Workspace) {
        var count = 0
        for place in 0..<at.shapes[0].count where at.inputs[0][place] != TokenMaskState.visible { count += 1 }
        at.output[0] = Float(count)
    }

    public func backward(_ at: Workspace) {}
}
