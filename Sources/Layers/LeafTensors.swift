public import Autodiff
public import Kernels

/// A parameter as a tensor.
public struct ParameterTable: Operation {
    private let parameter: Parameter

    public init(_ parameter: Parameter) { self.parameter = parameter }

    public func callAsFunction(in graph: Graph) -> Tensor { graph.apply(self) }

    public var parameters: [Parameter] { [parameter] }
    public var keeps: Kept { .nothing }
    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { parameter.shape }
    public func forward(_ at: Workspace) { at.pool.copy(at.values[0], into: at.output) }

    public func backward(_ at: Workspace) {
        guard let gradient = at.gradients[0] else { return }
        at.pool.copy(at.outputGradient, into: gradient, adding: at.addsToParameters[0])
    }
}

/// Numbers that training moves without a gradient, as a tensor.
public struct BufferTable: Operation {
    private let buffer: RegisteredBuffer

    public init(_ buffer: RegisteredBuffer) { self.buffer = buffer }

    public func callAsFunction(in graph: Graph) -> Tensor { graph.apply(self) }

    public var buffers: [RegisteredBuffer] { [buffer] }
    public var keeps: Kept { .nothing }
    public var stopsGradient: Bool { true }
    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { buffer.shape }
    public func forward(_ at: Workspace) { at.pool.copy(at.buffers[0], into: at.output) }
    public func backward(_ at: Workspace) { preconditionFailure("a buffer has no gradient") }
}

/// y = x, and no gradient goes back.
public struct Detached: Operation {
    public init() {}

    public func callAsFunction(_ x: Tensor) -> Tensor { x.apply(self) }

    public var keeps: Kept { .nothing }
    public var stopsGradient: Bool { true }
    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { shapes[0] }
    public func forward(_ at: Workspace) { at.pool.copy(at.inputs[0], into: at.output) }
    public func backward(_ at: Workspace) { preconditionFailure("a detached value has no gradient") }
}

/// A number that the step does not change, as a tensor (1).
public struct Constant: Operation {
    private let value: Float

    public init(_ value: Double) { self.value = Float(value) }

    public func callAsFunction(in graph: Graph) -> Tensor { graph.apply(self) }

    public var keeps: Kept { .nothing }
    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { [1] }
    public func forward(_ at: Workspace) { at.output.fill(value) }
    public func backward(_ at: Workspace) {}
}
