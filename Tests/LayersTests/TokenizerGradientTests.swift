import Autodiff
import Kernels
import Layers
import Models
import Testing

/// The operations of the tokenizer against differences, at sizes that fill no register evenly.
@Suite struct TokenizerGradientTests {
    @Test(arguments: [false, true]) func `Tanh has the gradient of its output`(otherUses: Bool) throws {
        let check = GradientCheck()
        let x = check.source("x", [3, 5, 19])
        try check.run(Tanh()(x), inputsHaveOtherUses: otherUses)
    }

    @Test(arguments: [false, true]) func `L2Normalization has the gradient of its output`(otherUses: Bool) throws {
        let check = GradientCheck()
        let x = check.source("x", [3, 5, 7])
        try check.run(L2Normalization(epsilon: 1e-6)(x), inputsHaveOtherUses: otherUses)
    }

    @Test(arguments: [false, true]) func `PatchDeconvolution has the gradient of its output`(otherUses: Bool) throws {
        let check = GradientCheck()
        let x = check.source("x", [3, 4, 7])
        let layer = PatchDeconvolution(
            check.scope, 7, channels: 3, patch: 2, init: .zeros, biasInit: .zeros)
        try check.run(layer(x), inputsHaveOtherUses: otherUses)
    }

    @Test(arguments: [false, true]) func `PixelLoss has the gradient of its output`(otherUses: Bool) throws {
        let check = GradientCheck()
        let x = check.source("x", [3, 5, 7])
        // Far from the predictions, so that no difference steps over the corner of |y − x|.
        let target = check.constant([3, 5, 7], check.numbers(3 * 5 * 7).map { $0 + ($0 > 0 ? 2 : -2) })
        try check.run(PixelLoss(absolute: 0.1)(x, target), inputsHaveOtherUses: otherUses)
    }

    @Test(arguments: [false, true]) func `CodeLoss pulls rows and pushes codes alike`(otherUses: Bool) throws {
        let check = GradientCheck()
        let x = check.source("x", [2, 5, 3])
        let codes = check.source("codes", [4, 3])
        let ids = check.constant([2, 5], [0, 3, 1, 1, 2, 0, 0, 3, 2, 1])
        try check.run(CodeLoss(pull: 0.5, push: 0.5)(x, ids, codes).apply(Doubled()), inputsHaveOtherUses: otherUses)
    }

    @Test func `a table has the gradient of its output`() throws {
        let check = GradientCheck()
        let table = check.scope.parameter("table", [5, 3], .zeros)
        try check.run(ParameterTable(table)(in: check.graph))
    }

    @Test func `the stack of the tokenizer has the gradient of its output`() throws {
        let check = GradientCheck()
        // Sizes that the product library computes without memory of its own; of some tiny odd ones it takes a little.
        let x = check.source("x", [2, 9, 12])
        let stack = TokenizerStack(
            check.scope, .init(width: 12, depth: 2, heads: 3, headWidth: 7, hidden: 19))
        try check.run(stack(x))
    }

    @Test func `a row takes the nearest code, the first of equal ones, and its gradient passes straight`() throws {
        let graph = Graph(), pool = WorkerPool(threads: 1)
        let table = graph.scope.parameter("x", [1, 3, 2], .table([0.9, 0.1, 0.2, -0.8, -1, 0]))
        let x = ParameterTable(table)(in: graph)
        let codes = graph.input("codes", [4, 2])
        let ids = VQLookup(isDistance: false)(x, among: codes)
        let rows = CodeRows()(x, ids, codes)
        let loss = PixelLoss(absolute: 0)(rows, graph.input("zero", [1, 3, 2]))
        let store = ParameterStore(graph, minimising: loss, seed: 0, pool: pool)
        let plan = try Plan(graph, minimising: loss, keeping: [ids, rows], store: store, pool: pool)
        plan.set(codes, Floats([0, 1, 1, 0, 1, 0, 0, -1]))
        plan.forward()
        plan.backward()
        #expect(plan.value(of: ids).array == [1, 3, 0])
        #expect(plan.value(of: rows).array == [1, 0, 0, -1, 0, 1])
        // 2·row/6 each, as if the rows were x.
        #expect(try #require(store.gradient("x")).array.map { ($0 * 3).rounded() } == [1, 0, 0, -1, 0, 1])
    }

    @Test func `before the codebook stands rows pass as they are`() throws {
        let graph = Graph(), pool = WorkerPool(threads: 1)
        let quantizer = VectorQuantizer(
            graph.scope["quantizer"], .init(.average(isDistance: true), codes: 3, width: 2, commitment: 0.25))
        let z = graph.input("z", [1, 2, 2])
        let output = quantizer(z)
        let store = ParameterStore(graph, minimising: nil, seed: 0, pool: pool)
        let loss = try #require(output.loss)
        let plan = try Plan(graph, minimising: nil, keeping: [output.values, loss], store: store, pool: pool)
        plan.set(z, Floats([1, 2, 3, 4]))
        plan.forward()
        #expect(plan.value(of: output.values).array == [1, 2, 3, 4] && plan.value(of: loss)[0] == 0)
        try #require(store.buffer("quantizer.updates"))[0] = 1
        plan.forward()
        #expect(plan.value(of: output.values).array != [1, 2, 3, 4] && plan.value(of: loss)[0] > 0)
    }
}

/// With pull = push = ½ the value is Σ|x − e|², and each of its gradients is half of the slope: this doubles them.
private struct Doubled: Operation {
    var keeps: Kept { .nothing }
    func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { shapes[0] }
    func forward(_ at: Workspace) { at.output.copy(from: at.inputs[0]) }
    func backward(_ at: Workspace) {
        guard let gradient = at.inputGradients[0] else { return }
        at.pool.copy(at.outputGradient, into: gradient, adding: at.adds[0], scale: 2)
    }
}
