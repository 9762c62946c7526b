import Kernels

/// Turns block numbers into slices of the arena, once, when a plan is built.
struct Binding {
    let graph: Graph
    let store: ParameterStore
    let lifetimes: Lifetimes
    let arena: Floats
    let tables: [Indices]
    let pool: WorkerPool
    let options: PlanOptions
    /// The node that backward meets first for each parameter: it may store, the others add.
    private let lastUse: [String: Int]

    init(
        graph: Graph, store: ParameterStore, lifetimes: Lifetimes, arena: Floats, tables: [Indices], pool: WorkerPool,
        options: PlanOptions
    ) {
        self.graph = graph
        self.store = store
        self.lifetimes = lifetimes
        self.arena = arena
        self.tables = tables
        self.pool = pool
        self.options = options
        var lastUse: [String: Int] = [:]
        for call in lifetimes.calls where call.kind == .backward {
            for parameter in graph.nodes[call.node].operation.parameters {
                lastUse[parameter.name] = max(lastUse[parameter.name] ?? 0, call.node)
            }
        }
        self.lastUse = lastUse
    }

    func floats(_ block: Int) -> Floats {
        let block = lifetimes.arena.blocks[block]
        return arena[block.offset..<block.offset + block.floats]
    }

    /// The floats of each value that has memory when a step is over.
    var values: [Int: Floats] {
        var values: [Int: Floats] = [:]
        for (value, block) in lifetimes.valueBlocks.enumerated() {
            if let block { values[value] = floats(block) }
        }
        return values
    }

    func workspace(_ call: Lifetimes.Call, adding: Bool) -> Workspace {
        let node = graph.nodes[call.node]
        let operation = node.operation
        let none = arena[0..<0]
        let gradients = operation.parameters.map { store.gradient($0.name) }
        let isTraining = lifetimes.lossGradient != nil || options.usesBatchStatistics
        return Workspace(
            shapes: node.inputs.map { graph.values[$0].shape },
            inputs: call.inputs.map { $0.map(floats) ?? none },
            output: call.output.map(floats) ?? none,
            saved: call.saved.map(floats) ?? none,
            scratch: call.scratch.map(floats) ?? none,
            values: operation.parameters.map { store.value($0.name) ?? none },
            buffers: operation.buffers.map { store.buffer($0.name) ?? none },
            indices: operation.indices.map { tables[$0.id] },
            inputGradients: call.inputGradients.map { $0.map(floats) },
            outputGradient: call.outputGradient.map(floats) ?? none,
            gradients: gradients,
            adds: call.adds,
            addsToParameters: operation.parameters.map { adding || lastUse[$0.name] != call.node },
            pool: pool,
            usesBatchStatistics: isTraining,
            dropsOut: isTraining && options.dropsOut,
            sumOverRanks: options.sumOverRanks)
    }
}

extension Plan {
    /// Buckets whose last gradient a call writes, for each call.
    static func finishes(
        _ buckets: [Range<Int>], store: ParameterStore, graph: Graph, calls: [Lifetimes.Call]
    ) -> [Range<Int>] {
        var lastCall = [Int](repeating: 0, count: buckets.count)
        for (position, call) in calls.enumerated() where call.kind == .backward {
            for parameter in graph.nodes[call.node].operation.parameters {
                guard let slot = store.slot(parameter.name), slot.isTrainable else { continue }
                guard let bucket = buckets.firstIndex(where: { $0.contains(slot.range.lowerBound) }) else { continue }
                lastCall[bucket] = max(lastCall[bucket], position)
            }
        }
        // Ready in order: a bucket never goes before the one in front of it, so that all ranks send alike.
        var latest = 0
        var finishes = [Range<Int>](repeating: 0..<0, count: calls.count)
        for (bucket, call) in lastCall.enumerated() {
            latest = max(latest, call)
            let earlier = finishes[latest]
            finishes[latest] = (earlier.isEmpty ? bucket : earlier.lowerBound)..<bucket + 1
        }
        return finishes
    }
}
