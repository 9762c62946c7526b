public import Kernels

/// A name prefix handed down while a model is built. Its path is the reference's state-dict name, so one expression
/// gives a parameter its name, shape, initializer and load address.
public struct Scope {
    public let graph: Graph
    public let path: String

    public subscript(_ part: String) -> Scope { Scope(graph: graph, path: join(part)) }
    public subscript(_ index: Int) -> Scope { self[String(index)] }

    public func parameter(_ name: String, _ shape: Shape, _ initializer: Initializer) -> Parameter {
        graph.declare(Parameter(name: join(name), shape: shape, initializer: initializer, isFixed: false))
    }

    /// A table that is not trained but belongs to the state dict's parameters, such as sines and cosines of positions.
    public func fixed(_ name: String, _ shape: Shape, _ values: [Float]) -> Parameter {
        precondition(values.count == shape.count, "values of another shape")
        return graph.declare(Parameter(name: join(name), shape: shape, initializer: .table(values), isFixed: true))
    }

    /// A constant integer table, such as a relative position index.
    public func buffer(_ name: String, _ shape: Shape, integers: [Int]) -> RegisteredBuffer {
        graph.declare(RegisteredBuffer(name: join(name), shape: shape, content: .integers(integers)))
    }

    /// A constant table of real numbers, such as the mask of shifted windows.
    public func buffer(_ name: String, _ shape: Shape, constants: [Float]) -> RegisteredBuffer {
        graph.declare(RegisteredBuffer(name: join(name), shape: shape, content: .constants(constants)))
    }

    /// Numbers that training moves without a gradient, such as running statistics.
    public func buffer(_ name: String, _ shape: Shape, _ initializer: Initializer) -> RegisteredBuffer {
        graph.declare(RegisteredBuffer(name: join(name), shape: shape, content: .floats(initializer)))
    }

    /// A number of the state dict that training counts up from 0.
    public func counter(_ name: String) -> RegisteredBuffer {
        graph.declare(RegisteredBuffer(name: join(name), shape: [], content: .counter))
    }

    private func join(_ part: String) -> String { path.isEmpty ? part : path + "." + part }
}
