import Autodiff
import Kernels
import Layers
import Testing

/// The operations of early-learning regularisation, and those of the fully connected network.
@Suite struct EarlyLearningTests {
    @Test(arguments: [false, true], [false, true])
    func `EarlyLearning has the gradient of its output`(otherUses: Bool, hasFactor: Bool) throws {
        let check = GradientCheck()
        let z = check.source("z", [5, 7])
        let targets = check.constant([5, 7], (0..<35).map { Float($0 % 7) / 40 })
        let factor = hasFactor ? check.constant([1], [0.25]) : nil
        try check.run(EarlyLearning(weight: 3)(z, targets, factor: factor), inputsHaveOtherUses: otherUses)
    }

    @Test func `no gradient passes a running target`() throws {
        let pool = WorkerPool(threads: 1)
        func gradient(isRunning: Bool, rows: [Float]) throws -> (gradient: [Float], rows: [Float]) {
            let graph = Graph()
            let (x, before) = (graph.input("x", [4, 3]), graph.input("rows", [4, 5]))
            let logits = Linear(graph.scope, 3, 5, init: .normal(std: 1))(x)
            let after = RunningTarget(keep: 0.7, isCut: true)(logits, before)
            let loss = EarlyLearning(weight: 2)(logits, isRunning ? after : before)
            let store = ParameterStore(graph, minimising: loss, seed: 1, pool: pool)
            let plan = try Plan(graph, minimising: loss, keeping: [loss, after], store: store, pool: pool)
            plan.set(x, Floats((0..<12).map { Float($0) / 7 - 0.8 }))
            plan.set(before, Floats(rows))
            plan.forward()
            plan.backward()
            return (try #require(store.gradient("weight")).array, plan.value(of: after).array)
        }
        let running = try gradient(isRunning: true, rows: [Float](repeating: 0.1, count: 20))
        #expect(try gradient(isRunning: false, rows: running.rows).gradient == running.gradient)
        #expect(running.gradient.contains { $0 != 0 })
    }

    @Test func `a running target starts at zero and is not corrected for it`() throws {
        let graph = Graph()
        let (z, rows) = (graph.input("z", [1, 2]), graph.input("rows", [1, 2]))
        let target = RunningTarget(keep: 0.75, isCut: true)(z, rows)
        let pool = WorkerPool(threads: 1)
        let plan = try Plan(
            graph, minimising: nil, keeping: [target],
            store: ParameterStore(graph, minimising: nil, seed: 0, pool: pool), pool: pool)
        plan.set(z, Floats([0, 0]))
        plan.set(rows, Floats([0, 0]))
        plan.forward()
        #expect(plan.value(of: target).array == [0.125, 0.125])
        // Cut to 1e-4 and 1 - 1e-4, which add up to 1.
        plan.set(z, Floats([40, 0]))
        plan.set(rows, Floats([0, 0]))
        plan.forward()
        #expect(plan.value(of: target).array == [Float(0.25 * (1 - 1e-4)), Float(0.25 * 1e-4)])
    }

    @Test(arguments: [false, true]) func `ReLU has the gradient of its output`(otherUses: Bool) throws {
        let check = GradientCheck()
        let x = check.source("x", [3, 5, 7])
        // Far from the kink, where differences are no slopes.
        let shift = check.constant([3, 5, 7], (0..<105).map { $0 % 2 == 0 ? 3 : -3 })
        try check.run(ReLU()(Add()(x, shift)), inputsHaveOtherUses: otherUses)
    }

    @Test(arguments: [false, true], [false, true])
    func `PixelVector has the gradient of its output`(isGrey: Bool, otherUses: Bool) throws {
        let check = GradientCheck()
        let x = check.source("x", [2, 3, 3, 3])
        try check.run(PixelVector(isGrey: isGrey)(x), inputsHaveOtherUses: otherUses)
    }
}
