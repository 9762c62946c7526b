import Kernels

/// The order of calls of a plan, with every block of memory that a call touches and the times between which each
/// block is alive. A value that is dropped after forward gets a second block when it is computed again.
struct Lifetimes {
    enum Kind { case forward, replay, backward }

    struct Call {
        let node: Int
        let kind: Kind
        var inputs: [Int?]
        var output: Int?
        var saved: Int?
        var scratch: Int?
        var inputGradients: [Int?] = []
        var adds: [Bool] = []
        var outputGradient: Int?
        /// The output gradient is copied (or added) to this block before backward runs.
        var passesTo: Int?
        var passAdds = false
    }

    private let graph: Graph
    private let flow: GradientFlow
    private let extras: [Extra]
    private let options: PlanOptions
    private(set) var calls: [Call] = []
    private(set) var arena = Arena()
    private(set) var forwardCalls = 0
    /// The block of each value: after construction, where a wanted value or an input is found.
    private(set) var valueBlocks: [Int?]
    private(set) var lossGradient: Int?
    private var savedBlocks: [Int?]
    private var gradientBlocks: [Int?]

    init(_ graph: Graph, flow: GradientFlow, loss: Int?, wanted: [Int], options: PlanOptions) {
        self.graph = graph
        self.flow = flow
        self.options = options
        extras = graph.nodes.map { node in
            node.operation.extra(for: node.inputs.map { graph.values[$0].shape })
        }
        valueBlocks = [Int?](repeating: nil, count: graph.values.count)
        gradientBlocks = valueBlocks
        savedBlocks = [Int?](repeating: nil, count: graph.nodes.count)
        recordForward()
        let keptValues = valueBlocks
        if let loss {
            drop(wanted: Set(wanted))
            recordBackward(from: loss)
            arena.extend(keptValues[loss] ?? 0, to: calls.count)
        }
        for value in wanted where keptValues[value] != nil { arena.extend(keptValues[value] ?? 0, to: calls.count) }
        valueBlocks = keptValues
        arena.place()
    }

    /// The block that is computed again as a whole and that a node lies in.
    private func region(of node: Graph.Node) -> Int? { options.recomputesBlocks ? node.region : nil }

    private func count(_ value: Int) -> Int { graph.values[value].shape.count }

    private mutating func recordForward() {
        for (index, node) in graph.nodes.enumerated() where flow.runs[index] {
            for input in node.inputs where valueBlocks[input] == nil {
                valueBlocks[input] = arena.add(count(input), at: 0)
            }
            recordForward(index, .forward)
        }
        forwardCalls = calls.count
    }

    /// One forward call now, at the time of its position in `calls`.
    private mutating func recordForward(_ index: Int, _ kind: Kind) {
        let (node, time) = (graph.nodes[index], calls.count)
        let output = valueBlocks[node.output] ?? arena.add(count(node.output), at: time)
        valueBlocks[node.output] = output
        arena.extend(output, to: time)
        for input in node.inputs { read(valueBlocks[input], at: time) }
        let saved = savedBlocks[index] ?? arena.add(extras[index].saved, at: time)
        savedBlocks[index] = saved
        read(saved, at: time)
        let scratch = arena.add(extras[index].scratch, at: time)
        let inputs = node.inputs.map { valueBlocks[$0] }
        calls.append(Call(node: index, kind: kind, inputs: inputs, output: output, saved: saved, scratch: scratch))
    }

    private mutating func read(_ block: Int?, at time: Int) {
        if let block { arena.extend(block, to: time) }
    }

    /// Forgets the blocks of values that backward computes again.
    private mutating func drop(wanted: Set<Int>) {
        var leavesRegion = wanted
        for (index, node) in graph.nodes.enumerated() where flow.runs[index] {
            for input in node.inputs {
                guard let producer = graph.values[input].producer else { continue }
                if region(of: graph.nodes[producer]) != region(of: node) { leavesRegion.insert(input) }
            }
        }
        for (index, node) in graph.nodes.enumerated() where flow.runs[index] {
            if region(of: node) != nil {
                savedBlocks[index] = nil
                if !leavesRegion.contains(node.output) { valueBlocks[node.output] = nil }
            } else if options.recomputesCheap, node.operation.isCheap, keepsItsInputs(node),
                !wanted.contains(node.output)
            {
                valueBlocks[node.output] = nil
            }
        }
    }

    /// Computing the output again is free of memory only where backward keeps the inputs anyway.
    private func keepsItsInputs(_ node: Graph.Node) -> Bool {
        let keeps = node.operation.keeps
        return !keeps.output && node.inputs.indices.allSatisfy { keeps.input($0) }
    }

    private mutating func recordBackward(from loss: Int) {
        lossGradient = arena.add(count(loss), at: calls.count)
        gradientBlocks[loss] = lossGradient
        for (index, node) in graph.nodes.enumerated().reversed() where flow.hasGradient[node.output] {
            let keeps = node.operation.keeps
            for (position, input) in node.inputs.enumerated() where keeps.input(position) { restore(input) }
            if keeps.output { restore(node.output) }
            if savedBlocks[index] == nil, extras[index].saved > 0 { replay(index) }
            recordBackward(index, node, keeps)
        }
    }

    private mutating func recordBackward(_ index: Int, _ node: Graph.Node, _ keeps: Kept) {
        let time = calls.count
        let inputs = node.inputs.enumerated().map { keeps.input($0) ? valueBlocks[$1] : nil }
        var call = Call(node: index, kind: .backward, inputs: inputs)
        call.output = keeps.output ? valueBlocks[node.output] : nil
        call.saved = savedBlocks[index]
        call.scratch = arena.add(extras[index].backwardScratch, at: time)
        call.outputGradient = gradientBlocks[node.output]
        let passed = node.operation.passesGradientTo
        if let passed, flow.hasGradient[node.inputs[passed]] { pass(node, passed, &call) }
        for (position, input) in node.inputs.enumerated() {
            let wants = flow.hasGradient[input] && position != passed
            call.adds.append(wants && gradientBlocks[input] != nil)
            if wants, gradientBlocks[input] == nil { gradientBlocks[input] = arena.add(count(input), at: time) }
            call.inputGradients.append(wants ? gradientBlocks[input] : nil)
        }
        for block in call.inputs + call.inputGradients { read(block, at: time) }
        for block in [call.output, call.saved, call.outputGradient, call.passesTo] { read(block, at: time) }
        calls.append(call)
    }

    /// Hands the output gradient on to the input that it belongs to: without a copy where nobody wrote there before.
    private mutating func pass(_ node: Graph.Node, _ position: Int, _ call: inout Call) {
        let input = node.inputs[position]
        if gradientBlocks[input] == nil, node.inputs.filter({ $0 == input }).count == 1 {
            gradientBlocks[input] = call.outputGradient
            return
        }
        call.passAdds = gradientBlocks[input] != nil
        let target = gradientBlocks[input] ?? arena.add(count(input), at: calls.count)
        gradientBlocks[input] = target
        call.passesTo = target
    }

    private mutating func restore(_ value: Int) {
        guard valueBlocks[value] == nil, let producer = graph.values[value].producer else { return }
        replay(producer)
    }

    /// Computes a dropped node again, with its whole region if it lies in one.
    private mutating func replay(_ index: Int) {
        guard let region = region(of: graph.nodes[index]) else {
            for input in graph.nodes[index].inputs { restore(input) }
            return recordForward(index, .replay)
        }
        for (member, node) in graph.nodes.enumerated() where node.region == region && flow.runs[member] {
            guard valueBlocks[node.output] == nil || extras[member].saved > 0 else { continue }
            for input in node.inputs { restore(input) }
            recordForward(member, .replay)
        }
    }
}
