/// Which nodes run, which values and parameters receive a gradient, and in what order parameters become ready.
struct GradientFlow {
    /// Nodes that the loss or a wanted value depends on.
    let runs: [Bool]
    /// Values between a trainable parameter and the loss.
    let hasGradient: [Bool]
    /// Trainable parameters that the loss depends on, in the order in which backward finishes them.
    let readyOrder: [String]

    init(_ graph: Graph, loss: Int?, wanted: [Int], isFrozen: (String) -> Bool) {
        func trains(_ parameter: Parameter) -> Bool { !parameter.isFixed && !isFrozen(parameter.name) }
        var runs = [Bool](repeating: false, count: graph.nodes.count)
        var reachesLoss = [Bool](repeating: false, count: graph.values.count)
        var isWanted = reachesLoss
        for value in wanted { isWanted[value] = true }
        if let loss { reachesLoss[loss] = true }
        for (index, node) in graph.nodes.enumerated().reversed() {
            guard reachesLoss[node.output] || isWanted[node.output] else { continue }
            runs[index] = true
            for input in node.inputs {
                if reachesLoss[node.output] { reachesLoss[input] = true }
                isWanted[input] = true
            }
        }
        var hasGradient = [Bool](repeating: false, count: graph.values.count)
        for node in graph.nodes where reachesLoss[node.output] {
            let isTrained = node.operation.parameters.contains(where: trains)
            hasGradient[node.output] =
                !node.operation.stopsGradient && (isTrained || node.inputs.contains { hasGradient[$0] })
        }
        // Backward walks the nodes from the end: a parameter is ready at its earliest use.
        var seen: Set<String> = []
        var order: [String] = []
        for node in graph.nodes where hasGradient[node.output] {
            for parameter in node.operation.parameters where trains(parameter) {
                if seen.insert(parameter.name).inserted { order.append(parameter.name) }
            }
        }
        self.runs = runs
        self.hasGradient = hasGradient
        readyOrder = order.reversed()
    }

    /// Multiply-adds times two of a node; backward counts two products per forward product, one where the input needs
    /// no gradient, none where nothing does.
    func flops(of node: Graph.Node, in graph: Graph) -> (forward: Int, backward: Int) {
        let forward = node.operation.flops(for: node.inputs.map { graph.values[$0].shape })
        guard hasGradient[node.output] else { return (forward, 0) }
        return (forward, node.inputs.contains { hasGradient[$0] } ? 2 * forward : forward)
    }
}
