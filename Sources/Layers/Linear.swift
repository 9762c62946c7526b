public import Autodiff
public import Kernels

/// y = x·Wᵀ + b over the last extent, (…, inputs) to (…, outputs).
/// The weight has PyTorch's shape [outputs, …]; what follows the first extent is read as one row, so that a convolution
/// whose stride is its kernel keeps its own shape on disk. Keeps its input.
public struct Linear: Operation {
    /// The vector that is added to the product.
    public enum Bias: Sendable {
        case none
        case full(Parameter)
        /// [query | 0 | value]: attention without a key bias, as in BEiT.
        case queryAndValue(Parameter, Parameter)
    }

    public let weight: Parameter
    public let bias: Bias
    private var inputs: Int { weight.shape.count / outputs }
    private var outputs: Int { weight.shape[0] }

    public init(weight: Parameter, bias: Bias) {
        self.weight = weight
        self.bias = bias
    }

    /// Declares `weight` and, if wanted, a zero `bias` in `scope`.
    public init(_ scope: Scope, _ inputs: Int, _ outputs: Int, bias: Bool = true, init initializer: Initializer) {
        weight = scope.parameter("weight", [outputs, inputs], initializer)
        self.bias = bias ? .full(scope.parameter("bias", [outputs], .zeros)) : .none
    }

    public func callAsFunction(_ x: Tensor) -> Tensor { x.apply(self) }

    public var parameters: [Parameter] {
        switch bias {
        case .none: [weight]
        case .full(let bias): [weight, bias]
        case .queryAndValue(let query, let value): [weight, query, value]
        }
    }
    public var keeps: Kept { .inputs }
    public var featureKind: IntermediateFeature.Kind? { .layer }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].channels == inputs else {
            throw ShapeError("input \(shapes[0]) has last extent \(shapes[0].channels), weight wants \(inputs)")
        }
        return Shape(shapes[0].extents.dropLast() + [outputs])
    }

    public func extra(for shapes: [Shape]) -> Extra {
        switch bias {
        case .none, .full: Extra()
        case .queryAndValue: Extra(scratch: outputs, backwardScratch: outputs)
        }
    }

    public func flops(for shapes: [Shape]) -> Int { 2 * shapes[0].rows * inputs * outputs }

    public func forward(_ at: Workspace) {
        at.pool.linear(
            at.inputs[0], weight: at.values[0], bias: biasVector(at), into: at.output,
            rows: at.shapes[0].rows, inputs: inputs, outputs: outputs)
    }

    public func backward(_ at: Workspace) {
        let rows = at.shapes[0].rows
        let dy = Matrix(at.outputGradient, rows: rows, columns: outputs)
        if let dx = at.inputGradients[0] {
            let weight = Matrix(at.values[0], rows: outputs, columns: inputs)
            at.pool.multiply(dy, weight, into: Matrix(dx, rows: rows, columns: inputs), adding: at.adds[0])
        }
        // The bias gradient is the sum over rows of dy, which passes by on the way of the weight's.
        let sums = biasSums(at)
        if let dw = at.gradients[0] {
            let x = Matrix(at.inputs[0], rows: rows, columns: inputs)
            at.pool.multiply(
                dy.transposed, x, into: Matrix(dw, rows: outputs, columns: inputs), adding: at.addsToParameters[0],
                rowSums: sums)
        } else if let sums {
            let none = sums[0..<0]
            at.pool.multiply(
                dy.transposed, Matrix(none, rows: rows, columns: 0), into: Matrix(none, rows: outputs, columns: 0),
                rowSums: sums)
        }
        shareBiasSums(at)
    }

    private func biasVector(_ at: Workspace) -> Floats? {
        switch bias {
        case .none: return nil
        case .full: return at.values[1]
        case .queryAndValue:
            let third = outputs / 3
            let vector = at.scratch[0..<outputs]
            vector[0..<third].copy(from: at.values[1])
            vector[third..<2 * third].fill(0)
            vector[2 * third..<outputs].copy(from: at.values[2])
            return vector
        }
    }

    /// Scratch for the sums of dy over rows; nil where no bias is trained.
    private func biasSums(_ at: Workspace) -> Floats? {
        switch bias {
        case .none: return nil
        case .full:
            guard let db = at.gradients[1] else { return nil }
            if !at.addsToParameters[1] { db.fill(0) }
            return db
        case .queryAndValue:
            if at.gradients[1] == nil && at.gradients[2] == nil { return nil }
            let sums = at.scratch[0..<outputs]
            sums.fill(0)
            return sums
        }
    }

    /// Hands the thirds of the sums on to the biases of query and value.
    private func shareBiasSums(_ at: Workspace) {
        guard case .queryAndValue = bias else { return }
        let third = outputs / 3
        if let dq = at.gradients[1] { at.pool.copy(at.scratch[0..<third], into: dq, adding: at.addsToParameters[1]) }
        if let dv = at.gradients[2] {
            at.pool.copy(at.scratch[2 * third..<outputs], into: dv, adding: at.addsToParameters[2])
        }
    }
}
