public import Kernels

/// A graph ready to run: memory placed, calls ordered. A step through it allocates nothing.
public final class Plan {
    private struct Call {
        let operation: any Operation
        let node: Int
        let isReplay: Bool
        let workspace: Workspace
        /// The workspace of backward with `adding`: parameter gradients are added to.
        let addingWorkspace: Workspace
        let pass: (target: Floats, adds: Bool)?
        /// Buckets whose last gradient this call writes.
        let finishes: Range<Int>
    }

    public let report: PlanReport
    /// Ranges of the store's gradients that become ready one after the other.
    public let buckets: [Range<Int>]
    /// The memory of its values.
    public let arena: Floats
    private let graph: Graph
    private let store: ParameterStore
    private let options: PlanOptions
    private let pool: WorkerPool
    private let forwardCalls: [Call]
    private let backwardCalls: [Call]
    private let lossGradient: Floats?
    private let found: [Int: Floats]
    private let tables: [Indices]
    private var times: [OperationTiming]

    /// - Parameters:
    ///   - loss: a scalar; nil makes a plan that runs forward only.
    ///   - wanted: values that can be read after a step.
    public init(
        _ graph: Graph, minimising loss: Tensor?, keeping wanted: [Tensor] = [], store: ParameterStore,
        pool: WorkerPool, options: PlanOptions = PlanOptions()
    ) throws(PlanError) {
        guard graph.problems.isEmpty else { throw .shapes(graph.problems) }
        try Self.check(graph, against: store)
        let isFrozen = { (name: String) in store.slot(name)?.isTrainable != true }
        let flow = GradientFlow(graph, loss: loss?.id, wanted: wanted.map(\.id), isFrozen: isFrozen)
        let lifetimes = Lifetimes(
            graph, flow: flow, loss: loss?.id, wanted: wanted.map(\.id), options: options)
        let arena =
            options.arena.flatMap { $0.count >= lifetimes.arena.floats ? $0 : nil }
            ?? Floats(zeros: lifetimes.arena.floats)
        let tables = graph.indexInputs.map { Indices(zeros: $0.count) }
        let binding = Binding(
            graph: graph, store: store, lifetimes: lifetimes, arena: arena, tables: tables, pool: pool, options: options
        )
        let buckets = store.layout.buckets(bytes: options.bucketBytes)
        let calls = Self.calls(
            binding, finishes: Self.finishes(buckets, store: store, graph: graph, calls: lifetimes.calls))
        forwardCalls = Array(calls[..<lifetimes.forwardCalls])
        backwardCalls = Array(calls[lifetimes.forwardCalls...])
        lossGradient = lifetimes.lossGradient.map { binding.floats($0) }
        found = binding.values
        self.graph = graph
        self.store = store
        self.options = options
        self.pool = pool
        self.tables = tables
        self.buckets = buckets
        self.arena = arena
        report = PlanReport(graph, flow: flow, lifetimes: lifetimes, layout: store.layout, buckets: buckets)
        times = graph.nodes.map { OperationTiming($0, flops: flow.flops(of: $0, in: graph)) }
    }

    private static func calls(_ binding: Binding, finishes: [Range<Int>]) -> [Call] {
        zip(binding.lifetimes.calls, finishes).map { call, finishes in
            Call(
                operation: binding.graph.nodes[call.node].operation, node: call.node, isReplay: call.kind == .replay,
                workspace: binding.workspace(call, adding: false),
                addingWorkspace: binding.workspace(call, adding: true),
                pass: call.passesTo.map { (binding.floats($0), call.passAdds) }, finishes: finishes)
        }
    }

    /// Brings in the numbers of an input for the next step.
    public func set(_ input: Tensor, _ floats: Floats) { found[input.id]?.copy(from: floats) }

    public func set(_ input: IndexInput, _ indices: Indices) { tables[input.id].copy(from: indices) }

    public func forward() {
        for call in forwardCalls { run(call) }
    }

    /// Runs forward and looks at every output: the scope path of the first operation that gives a number that is not
    /// finite, nil where none does. Running statistics stay as they are.
    public func firstOperationNotFinite() -> String? {
        let running = store.statistics + store.counters
        let before = running.map { Floats($0.array) }
        defer { for (live, start) in zip(running, before) { live.copy(from: start) } }
        for call in forwardCalls {
            run(call)
            if !pool.isFinite(call.workspace.output) { return graph.nodes[call.node].name }
        }
        return nil
    }

    /// Computes all gradients of the last `forward`.
    /// - Parameters:
    ///   - adding: add to the parameter gradients instead of replacing them.
    ///   - bucketReady: called with a bucket's number as soon as its gradients are final.
    public func backward(adding: Bool = false, bucketReady: (Int) -> Void = { _ in }) {
        precondition(lossGradient != nil, "this plan runs forward only")
        lossGradient?.fill(1)
        for call in backwardCalls {
            if call.isReplay {
                run(call)
            } else {
                runBackward(call, adding ? call.addingWorkspace : call.workspace)
            }
            for bucket in call.finishes { bucketReady(bucket) }
        }
    }

    /// The numbers of an input or a wanted value after a step. Other values have given up their memory by then.
    public func value(of tensor: Tensor) -> Floats {
        guard let floats = found[tensor.id] else { preconditionFailure("the plan does not compute this value") }
        return floats
    }

    /// Time per operation since the plan was built, when `PlanOptions.measuresTime`.
    public var timings: [OperationTiming] { times }

    private func run(_ call: Call) {
        let start = options.measuresTime ? MonotonicTime.now : 0
        call.operation.forward(call.workspace)
        if options.measuresTime { times[call.node].forwardSeconds += MonotonicTime.now - start }
    }

    private func runBackward(_ call: Call, _ workspace: Workspace) {
        let start = options.measuresTime ? MonotonicTime.now : 0
        if let pass = call.pass { pool.copy(workspace.outputGradient, into: pass.target, adding: pass.adds) }
        call.operation.backward(workspace)
        if options.measuresTime { times[call.node].backwardSeconds += MonotonicTime.now - start }
    }

    private static func check(_ graph: Graph, against store: ParameterStore) throws(PlanError) {
        var problems: [String] = []
        for parameter in graph.parameters {
            if let slot = store.slot(parameter.name) {
                if slot.parameter.shape != parameter.shape {
                    problems.append(
                        "\(parameter.name): the store has \(slot.parameter.shape), the graph wants \(parameter.shape)")
                }
            } else {
                problems.append("\(parameter.name): not in the store")
            }
        }
        guard problems.isEmpty else { throw .parameters(problems) }
    }
}

/// Choices of a plan, most of which change its memory and time and never its numbers.
public struct PlanOptions: Sendable {
    /// Outputs of cheap operations are computed again in backward instead of being kept.
    public var recomputesCheap = true
    /// Keeps only what leaves a block of the graph; backward computes the rest again, block by block.
    public var recomputesBlocks = false
    /// A bucket is sent as soon as it is ready; 25 MB is about as fast as one message and leaves room to overlap.
    public var bucketBytes = 25 << 20
    public var measuresTime = false
    /// A plan that runs forward only takes the statistics of its batch, as in training, and moves the running ones.
    public var usesBatchStatistics = false
    /// False: a plan that takes the statistics of its batch drops nothing at random.
    public var dropsOut = true
    /// Memory of another plan that never runs at the same time; what that one has computed is lost. Nil: its own.
    public var arena: Floats?
    public var sumOverRanks: @Sendable (Floats) -> Void = { _ in }

    public init() {}
}

/// Why a graph cannot be planned; every problem of one kind at once.
public enum PlanError: Error, CustomStringConvertible, Equatable {
    case shapes([String])
    case parameters([String])

    public var description: String {
        switch self {
        case .shapes(let problems): "shapes do not fit:\n  " + problems.joined(separator: "\n  ")
        case .parameters(let problems): "parameters do not match:\n  " + problems.joined(separator: "\n  ")
        }
    }
}
