import Autodiff
import Kernels
import Layers
import Testing

/// Every operation against differences, at sizes that fill no register evenly.
@Suite struct OperationGradientTests {
    enum BiasKind: CaseIterable { case none, full, queryAndValue }

    @Test(arguments: BiasKind.allCases, [false, true])
    func `Linear has the gradient of its output`(kind: BiasKind, otherUses: Bool) throws {
        let check = GradientCheck()
        let x = check.source("x", [3, 5, 7])
        let weight = check.scope.parameter("weight", [9, 7], .zeros)
        let bias: Linear.Bias =
            switch kind {
            case .none: .none
            case .full: .full(check.scope.parameter("bias", [9], .zeros))
            case .queryAndValue:
                .queryAndValue(
                    check.scope.parameter("q_bias", [3], .zeros), check.scope.parameter("v_bias", [3], .zeros))
            }
        try check.run(Linear(weight: weight, bias: bias)(x), inputsHaveOtherUses: otherUses)
    }

    @Test(arguments: [false, true]) func `LayerNorm has the gradient of its output`(otherUses: Bool) throws {
        let check = GradientCheck()
        let x = check.source("x", [3, 5, 19])
        try check.run(LayerNorm(check.scope, 19, epsilon: 1e-3)(x), inputsHaveOtherUses: otherUses)
    }

    @Test(arguments: [false, true]) func `BiasGELU has the gradient of its output`(otherUses: Bool) throws {
        let check = GradientCheck()

        let x = check.source("x", [3, 5, 7])
        let bias = check.scope.parameter("bias", [7], .zeros)
        try check.run(BiasGELU(bias)(x), inputsHaveOtherUses: otherUses)
    }

    @Test func `MLP has the gradient of its output`() throws {
        let check = GradientCheck()
        let x = check.source("x", [2, 3, 5])

        try check.run(MLP(check.scope, 5, hidden: 11, init: .zeros, outputInit: .zeros)(x))
    }

    @Test(arguments: [(1, 5), (3, 7)], [false, true])
    func `Attention has the gradient of its output`(form: (heads: Int, width: Int), otherUses: Bool) throws {
        let check = GradientCheck()
        let qkv = check.source("qkv", [2, 9, 3 * form.heads * form.width])
        try check.run(Attention(heads: form.heads)(qkv), inputsHaveOtherUses: otherUses)
    }

    @Test(arguments: [nil, 0.4], [false, true])
    func `Attention has the gradient of its logit bias`(scale: Double?, otherUses: Bool) throws {
        let check = GradientCheck()
        check.trainsTogether = ["qkv"]
        let qkv = check.source("qkv", [2, 7, 3 * 2 * 5])
        let bias = check.source("bias", [2, 7, 7])
        try check.run(Attention(heads: 2, scale: scale)(qkv, bias: bias), inputsHaveOtherUses: otherUses)
    }

    @Test func `RelativePositionBias has the gradient of its table`() throws {
        for tokens in [RelativePositionBias.Tokens.window(side: 3), .classToken(side: 3), .classToken(side: 1)] {
            let check = GradientCheck()
            let bias = RelativePositionBias(check.scope, tokens, heads: 3, init: .zeros)
            try check.run(bias(in: check.graph))
        }
    }

    @Test(arguments: [false, true], [false, true])
    func `Residual has the gradient of both branches`(hasScale: Bool, drops: Bool) throws {
        for otherUses in [false, true] {
            let check = GradientCheck()

            let x = check.source("x", [3, 5, 7])
            let branch = check.source("f", [3, 5, 7])
            let keep = drops ? check.constant([3], [0, 1.25, 1.25]) : nil
            let residual = Residual(scale: hasScale ? check.scope.parameter("gamma", [7], .zeros) : nil)
            try check.run(residual(x, branch, keep: keep), inputsHaveOtherUses: otherUses)
        }
    }

    @Test(arguments: [false, true]) func `Add has the gradient of both terms`(otherUses: Bool) throws {
        let check = GradientCheck()
        let (x, y) = (check.source("x", [3, 7]), check.source("y", [3, 7]))
        try check.run(Add()(Add()(x, y), x), inputsHaveOtherUses: otherUses)
    }

    @Test func `PatchEmbedding has the gradient of its convolution`() throws {
        let check = GradientCheck()
        let images = check.constant([2, 6, 9, 3], check.numbers(2 * 6 * 9 * 3))
        let embedding = PatchEmbedding(check.scope, channels: 3, patch: 3, width: 7, init: .zeros)
        try check.run(embedding(images))
    }

    @Test(arguments: [false, true]) func `MaskToken has the gradient of its token`(otherUses: Bool) throws {
        let check = GradientCheck()
        let x = check.source("x", [2, 4, 7])
        let mask = check.constant([2, 2, 2], [1, 0, 0, 1, 0, 1, 1, 1])
        try check.run(MaskToken(check.scope, 7, init: .zeros)(x, mask: mask), inputsHaveOtherUses: otherUses)
    }

    @Test(arguments: [false, true]) func `token operations have the gradient of their output`(otherUses: Bool) throws {
        let layers: [(Scope) -> (Tensor) -> Tensor] = [
            { scope in { ClassToken(scope, 7, init: .zeros)($0) } },
            { scope in { PositionTable(scope, name: "pos_embed", tokens: 5, channels: 7, init: .zeros)($0) } },
            { _ in { TokenRange(1..<5)($0) } }, { _ in { TokenRange(0..<1)($0) } },
            { _ in { MeanPooling(0..<5)($0) } }, { _ in { MeanPooling(1..<4)($0) } },
        ]
        for layer in layers {
            let check = GradientCheck()
            let x = check.source("x", [3, 5, 7])
            try check.run(layer(check.scope)(x), inputsHaveOtherUses: otherUses)
        }
    }

    @Test(arguments: [0, 0.1], [false, true])
    func `CrossEntropy has the gradient of its logits`(smoothing: Double, otherUses: Bool) throws {
        let check = GradientCheck()
        let logits = check.source("logits", [5, 7])
        let targets = check.constant([5, 7], check.numbers(35).map { abs($0) / 3 })
        try check.run(CrossEntropy(smoothing: smoothing)(logits, targets), inputsHaveOtherUses: otherUses)
    }

    @Test(arguments: [0, 0.1], [false, true])
    func `BinaryCrossEntropy has the gradient of its logits`(smoothing: Double, otherUses: Bool) throws {
        let check = GradientCheck()
        let logits = check.source("logits", [5, 7])
        let targets = check.constant([5, 7], check.numbers(35).map { abs($0) / 3 })
        try check.run(BinaryCrossEntropy(smoothing: smoothing)(logits, targets), inputsHaveOtherUses: otherUses)
    }

    @Test(arguments: [1, 3], [false, true])
    func `MaskedPixelLoss has the gradient of its prediction`(cellsPerBlock: Int, otherUses: Bool) throws {
        let check = GradientCheck()
        let (side, block, channels) = (2, 3, 2)
        let pixels = check.source("pixels", [2, side * side, channels * block * block])
        // Targets keep away from predictions in -1..<1: the loss has a kink where they meet.
        let target = check.constant(pixels.shape, check.numbers(pixels.shape.count).map { $0 < 0 ? $0 - 2 : $0 + 2 })
        let cells = side * cellsPerBlock
        let mask = check.constant([2, cells, cells], check.numbers(2 * cells * cells).map { $0 < 0.2 ? 1 : 0 })
        try check.run(
            MaskedPixelLoss(channels: channels)(pixels, target, mask: mask), inputsHaveOtherUses: otherUses)
    }
}
