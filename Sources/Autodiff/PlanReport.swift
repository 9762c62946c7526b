public import Kernels

/// A plan in figures, for people: a row per operation and the totals.
public struct PlanReport: Sendable {
    public struct Row: Sendable {
        /// Scope path, such as `blocks.3.attn.qkv`.
        public let name: String
        public let kind: String
        public let shape: Shape
        /// Multiply-adds times two of the forward pass.
        public let flops: Int
        public let backwardFlops: Int
        public let parameters: Int
    }

    public let rows: [Row]
    /// Parameters of the model, without padding.
    public let parameterCount: Int
    /// Forward and backward of one step; backward counts two products per forward product, one where the input needs
    /// no gradient.
    public let flops: Int
    /// Memory for values, gradients of values and scratch.
    public let arenaBytes: Int
    /// Bytes that the same blocks would take if none shared memory.
    public let unsharedBytes: Int
    public let parameterBytes: Int
    public let gradientBytes: Int
    /// Sizes of the ranges that go over the network, in the order in which they become ready.
    public let bucketBytes: [Int]
    /// Forward calls that backward runs again, and their multiply-adds times two, which `flops` does not count.
    public let recomputedOperations, recomputedFlops: Int
}

extension PlanReport {
    /// The report of a plan of `graph` over a fresh store. Takes none of the memory that it counts.
    /// - Parameter loss: a scalar; nil for a plan that runs forward only.
    public init(
        _ graph: Graph, minimising loss: Tensor?, keeping wanted: [Tensor] = [], options: PlanOptions = PlanOptions(),
        isFrozen: (String) -> Bool = { _ in false }
    ) throws(PlanError) {
        guard graph.problems.isEmpty else { throw .shapes(graph.problems) }
        let flow = GradientFlow(graph, loss: loss?.id, wanted: wanted.map(\.id), isFrozen: isFrozen)
        let layout = ParameterLayout(graph, flow: flow)
        let lifetimes = Lifetimes(
            graph, flow: flow, loss: loss?.id, wanted: wanted.map(\.id), options: options)
        self.init(
            graph, flow: flow, lifetimes: lifetimes, layout: layout, buckets: layout.buckets(bytes: options.bucketBytes)
        )
    }

    init(_ graph: Graph, flow: GradientFlow, lifetimes: Lifetimes, layout: ParameterLayout, buckets: [Range<Int>]) {
        let bytes = MemoryLayout<Float>.stride
        var rows: [Row] = []
        for (index, node) in graph.nodes.enumerated() where flow.runs[index] {
            let flops = flow.flops(of: node, in: graph)
            rows.append(
                Row(
                    name: node.name, kind: String(describing: type(of: node.operation)),
                    shape: graph.values[node.output].shape, flops: flops.forward, backwardFlops: flops.backward,
                    parameters: node.operation.parameters.reduce(0) { $0 + $1.shape.count }))
        }
        let replays = lifetimes.calls.filter { $0.kind == .replay }
        self.init(
            rows: rows, parameterCount: layout.parameterCount,
            flops: rows.reduce(0) { $0 + $1.flops + $1.backwardFlops },
            arenaBytes: lifetimes.arena.floats * bytes, unsharedBytes: lifetimes.arena.unsharedFloats * bytes,
            parameterBytes: layout.valueCount * bytes, gradientBytes: layout.gradientCount * bytes,
            bucketBytes: buckets.map { $0.count * bytes },
            recomputedOperations: replays.count,
            recomputedFlops: replays.reduce(0) { $0 + flow.flops(of: graph.nodes[$1.node], in: graph).forward })
    }
}

/// Time that one operation took since measuring began.
public struct OperationTiming: Sendable {
    public let name: String
    public let kind: String
    /// Multiply-adds times two of one forward pass.
    public let flops: Int
    public let backwardFlops: Int
    public var forwardSeconds = 0.0
    public var backwardSeconds = 0.0

    init(_ node: Graph.Node, flops: (forward: Int, backward: Int)) {
        (name, kind) = (node.name, String(describing: type(of: node.operation)))
        (self.flops, backwardFlops) = (flops.forward, flops.backward)
    }
}
