public import Autodiff
public import Kernels

/// y = x + table, the same table for every sample. x: (B, T, C); table: [1, T, C]. Keeps nothing.
/// The gradient of x is the gradient of y, unchanged.
public struct PositionTable: Operation {
    private let table: Parameter

    /// Declares the table under the reference's `name`, such as `pos_embed`.
    public init(_ scope: Scope, name: String, tokens: Int, channels: Int, init initializer: Initializer) {
        table = scope.parameter(name, [1, tokens, channels], initializer)
    }

    /// Declares a table that is not trained, from its values.
    public init(_ scope: Scope, fixed name: String, tokens: Int, channels: Int, _ values: [Float]) {
        table = scope.fixed(name, [1, tokens, channels], values)
    }

    public func callAsFunction(_ x: Tensor) -> Tensor { x.apply(self) }

    public var parameters: [Parameter] { [table] }
    public var keeps: Kept { .nothing }
    public var passesGradientTo: Int? { 0 }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].extents.dropFirst() == table.shape.extents.dropFirst() else {
            throw ShapeError("input \(shapes[0]) does not fit the table \(table.shape)")
        }
        return shapes[0]
    }

    public func forward(_ at: Workspace) {
        let count = table.shape.count
        for sample in 0..<at.shapes[0][0] {
            let range = sample * count..<(sample + 1) * count
            at.pool.add(at.inputs[0][range], at.values[0], into: at.output[range])
        }
    }

    public func backward(_ at: Workspace) {
        guard let gradient = at.gradients[0] else { return }
        let count = table.shape.count
        for sample in 0..<at.shapes[0][0] {
            let range = sample * count..<(sample + 1) * count
            at.pool.copy(at.outputGradient[range], into: gradient, adding: at.addsToParameters[0] || sample > 0)
        }
    }
}
