import Autodiff
import Kernels
import Layers
import Testing

/// What windows add to the operations: rows in another order, a mask, a grid that is halved.
@Suite struct WindowTests {
    @Test func `a partition lists tokens window by window`() {
        let plain = WindowPartition(side: 4, window: 2, shift: 0)
        #expect(plain.order.table.array == [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15])
        #expect(plain.count == 4 && plain.mask == nil)
        let shifted = WindowPartition(side: 4, window: 2, shift: 1)
        // Token (1, 1) comes first, the last window holds the four corners.
        #expect(shifted.order.table.array == [5, 6, 9, 10, 7, 4, 11, 8, 13, 14, 1, 2, 15, 12, 3, 0])
    }

    @Test func `the mask parts what only the roll has joined`() throws {
        let mask = try #require(WindowPartition(side: 4, window: 2, shift: 1).mask).array
        let joined = (0..<4).map { window in mask[window * 16..<(window + 1) * 16].map { $0 == 0 ? 1 : 0 } }
        #expect(mask.allSatisfy { $0 == 0 || $0 == -100 })
        #expect(joined[0] == [Int](repeating: 1, count: 16))
        #expect(joined[1] == [1, 0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 1])
        #expect(joined[2] == [1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1])
        #expect(joined[3] == [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1])
    }

    @Test(arguments: [0, 1], [false, true])
    func `LayerNorm into windows has the gradient of its output`(shift: Int, otherUses: Bool) throws {
        let check = GradientCheck(threads: 2)
        let x = check.source("x", [2, 36, 7])
        let windows = WindowPartition(side: 6, window: 3, shift: shift)
        let y = LayerNorm(check.scope, 7, epsilon: 1e-3, into: windows)(x)
        #expect(y.shape == [8, 9, 7])
        try check.run(y, inputsHaveOtherUses: otherUses)
    }

    @Test(arguments: [0, 1], [false, true])
    func `Residual from windows has the gradient of both branches`(shift: Int, hasScale: Bool) throws {
        for (otherUses, drops) in [(false, false), (true, true)] {
            let check = GradientCheck(threads: 2)
            let x = check.source("x", [3, 16, 5])
            let branch = check.source("f", [12, 4, 5])
            let keep = drops ? check.constant([3], [0, 1.25, 1.25]) : nil
            let windows = WindowPartition(side: 4, window: 2, shift: shift)
            let residual = Residual(
                scale: hasScale ? check.scope.parameter("gamma", [5], .zeros) : nil, from: windows)
            try check.run(residual(x, branch, keep: keep), inputsHaveOtherUses: otherUses)
        }
    }

    @Test func `a branch that only went through windows comes back in place`() throws {
        let graph = Graph()
        let windows = WindowPartition(side: 6, window: 3, shift: 2)
        let x = graph.input("x", [2, 36, 5])
        let norm = LayerNorm(graph.scope["norm"], 5, epsilon: 1e-3, into: windows)
        let plain = LayerNorm(graph.scope["norm"], 5, epsilon: 1e-3)
        let (back, straight) = (Residual(from: windows)(x, norm(x)), Residual()(x, plain(x)))
        let pool = WorkerPool(threads: 2)
        let store = ParameterStore(graph, minimising: nil, seed: 0, pool: pool)
        let plan = try Plan(graph, minimising: nil, keeping: [back, straight], store: store, pool: pool)
        plan.set(x, Floats(GradientCheck().numbers(x.shape.count)))
        plan.forward()
        #expect(plan.value(of: back).array == plan.value(of: straight).array)
    }

    @Test(arguments: [(3, 2, 5), (2, 1, 8)], [false, true])
    func `Attention with a mask has the gradient of its output and bias`(
        form: (window: Int, heads: Int, width: Int), otherUses: Bool
    ) throws {
        let check = GradientCheck(threads: 2)
        check.trainsTogether = ["qkv"]
        let windows = WindowPartition(side: 2 * form.window, window: form.window, shift: 1)
        let tokens = form.window * form.window
        let qkv = check.source("qkv", [8, tokens, 3 * form.heads * form.width])
        let bias = check.source("bias", [form.heads, tokens, tokens])
        try check.run(
            Attention(heads: form.heads, mask: windows.mask)(qkv, bias: bias), inputsHaveOtherUses: otherUses)
    }

    @Test(arguments: [false, true]) func `PatchMerging has the gradient of its output`(otherUses: Bool) throws {
        let check = GradientCheck()
        let x = check.source("x", [2, 16, 3])
        let merging = PatchMerging(check.scope, side: 4, channels: 3, epsilon: 1e-3, init: .zeros)
        let y = merging(x)
        #expect(y.shape == [2, 4, 6])
        try check.run(y, inputsHaveOtherUses: otherUses)
    }

    @Test func `shapes that fit no windows are refused`() {
        let windows = WindowPartition(side: 4, window: 2, shift: 0)
        let graph = Graph()
        _ = LayerNorm(graph.scope, 5, epsilon: 1e-3, into: windows)(graph.input("x", [2, 15, 5]))
        _ = Residual(from: windows)(graph.input("y", [2, 16, 5]), graph.input("f", [2, 16, 5]))
        _ = Attention(heads: 1, mask: Floats(zeros: 48))(graph.input("qkv", [4, 4, 6]))
        let store = ParameterStore(graph, minimising: nil, seed: 0, pool: WorkerPool(threads: 1))
        let error = #expect(throws: PlanError.self) {
            try Plan(graph, minimising: nil, store: store, pool: WorkerPool(threads: 1))
        }
        guard case .shapes(let problems)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(problems.count == 3)
    }
}
