import Autodiff
import Kernels
import Layers
import Testing

/// The operations of models over tokens against differences.
@Suite struct TokenGradientTests {
    /// (2, 4, 4, 1), some ids twice.
    private let ids: [Float] = (0..<32).map { Float($0 * 5 % 11) }
    /// Two samples of four patches: visible, masked, dropped, and every sample drops one.
    private let mask: [Float] = [0, 1, 2, 1, 2, 0, 0, 1]

    @Test func `an embedding has the gradient of its table`() throws {
        let check = GradientCheck()
        let embedding = TokenEmbedding(check.scope, codes: 11, width: 5, init: .zeros)
        try check.run(embedding(check.constant([2, 4, 4, 1], ids)))
    }

    @Test(arguments: [false, true]) func `scores of codes take the table as it is`(otherUses: Bool) throws {
        let check = GradientCheck()
        let embedding = TokenEmbedding(check.scope["words"], codes: 11, width: 5, init: .zeros)
        check.readAsConstants = [embedding.table.name]
        let y = check.source("y", [2, 7, 5])
        try check.run(CodeScores(check.scope, embedding)(y), inputsHaveOtherUses: otherUses)
    }

    @Test(arguments: [false, true]) func `hidden tokens leave and come back`(otherUses: Bool) throws {
        let check = GradientCheck()
        let x = check.source("x", [2, 5, 3])
        let kept = MaskedTokenRows(.leaveOut(kept: 3))(x, mask: check.constant([2, 2, 2], mask))
        try check.run(kept, inputsHaveOtherUses: otherUses)
        let again = GradientCheck()
        let latent = again.source("latent", [2, 4, 3])
        let whole = MaskedTokenRows(.putBack)(latent, mask: again.constant([2, 2, 2], mask))
        try again.run(whole, inputsHaveOtherUses: otherUses)
    }

    @Test(
        arguments: [MaskedCodeLoss.Form.crossEntropy(smoothing: 0), .crossEntropy(smoothing: 0.1), .binary],
        [false, true])
    func `the loss of masked codes has the gradient of its scores`(form: MaskedCodeLoss.Form, masks: Bool) throws {
        let check = GradientCheck()
        let scores = check.source("scores", [2, 16, 11])
        let ids = check.constant([2, 4, 4, 1], ids)
        let mask = masks ? check.constant([2, 2, 2], mask) : nil
        try check.run(MaskedCodeLoss(form, patch: 2)(scores, ids, mask: mask))
    }

    @Test(arguments: [false, true]) func `moved maps have the gradient of what moves`(otherUses: Bool) throws {
        let check = GradientCheck()
        let maps = check.source("maps", [2, 6, 6, 3])
        let geometry = Floats(zeros: 2 * MapGeometry.floats)
        MapGeometry(
            MapCrop(top: 1, left: 0, height: 4, width: 5),
            warps: [
                .mirror(side: 6), .affine(angle: 20, translation: (1, -1), shear: (5, 10), side: 6),
                .affine(angle: 0, translation: (0, 2), shear: (0, 0), side: 6),
            ]
        ).write(to: geometry[0..<MapGeometry.floats])
        MapGeometry(MapCrop(top: 0, left: 0, height: 6, width: 6), warps: [])
            .write(to: geometry[MapGeometry.floats..<2 * MapGeometry.floats])
        let moved = AffineGridSample(side: 5)(maps, check.constant([2, MapGeometry.floats], geometry.array))
        try check.run(moved, inputsHaveOtherUses: otherUses)
    }

    @Test(arguments: [false, true]) func `rows become maps and other shapes`(otherUses: Bool) throws {
        let check = GradientCheck()
        let rows = check.source("rows", [2, 9, 12])
        try check.run(Unpatchify(patch: 2)(rows), inputsHaveOtherUses: otherUses)
        let again = GradientCheck()
        let x = again.source("x", [2, 6, 4])
        try again.run(Reshape([4, 3, 4])(x), inputsHaveOtherUses: otherUses)
    }

    @Test(arguments: [false, true]) func `dropout hands back what it let through`(otherUses: Bool) throws {
        let check = GradientCheck()
        let x = check.source("x", [2, 3, 150])
        try check.run(Dropout(0.3)(x), inputsHaveOtherUses: otherUses)
        let again = GradientCheck(threads: 2)
        let qkv = again.source("qkv", [2, 9, 3 * 2 * 5])
        try again.run(Attention(heads: 2)(qkv, dropout: 0.3), inputsHaveOtherUses: otherUses)
        // More rows of queries than are held at once.
        let long = GradientCheck(threads: 2)
        let tokens = long.source("qkv", [1, 170, 3 * 2])
        try long.run(Attention(heads: 1)(tokens, dropout: 0.5), inputsHaveOtherUses: otherUses)
    }

    @Test func `dropout leaves out its share and keeps the mean`() throws {
        let graph = Graph()
        let x = graph.input("x", [3, 100, 200])
        let y = Dropout(0.25)(x)
        let loss = Sum()(y)
        let pool = WorkerPool(threads: 2)
        let store = ParameterStore(graph, minimising: nil, seed: 0, pool: pool)
        // A plan without a loss evaluates: nothing is left out.
        let plan = try Plan(graph, minimising: nil, keeping: [y, loss], store: store, pool: pool)
        plan.set(x, Floats([Float](repeating: 1, count: 60_000)))
        plan.forward()
        #expect(plan.value(of: y).array.allSatisfy { $0 == 1 })
        let draw = DropoutDraw(dropRate: 0.25, site: 1, keys: Indices([1, 2, 3, 4, 1, 2]))
        let values = Floats(zeros: 60_000)
        pool.dropout(Floats([Float](repeating: 1, count: 60_000)), into: values, draw, channels: 200)
        let dropped = values.array.count { $0 == 0 }
        #expect(abs(Double(dropped) / 60_000 - 0.25) < 0.01)
        #expect(Set(values.array).count == 2)
        #expect(values[0..<20_000].array == values[40_000..<60_000].array, "the same key, the same draws")
        #expect(values[0..<20_000].array != values[20_000..<40_000].array)
    }
}
