import Autodiff
import Kernels
import Layers
import Models
import Testing

/// The operations of CRATE against differences.
@Suite struct CRATEGradientTests {
    /// With a threshold far below every entry none is cut off, so that no kink lies near; the fixtures of the reference
    /// hold entries on both sides.
    @Test(arguments: [false, true]) func `ISTA has the gradient of its output`(otherUses: Bool) throws {
        let check = GradientCheck()
        let x = check.source("x", [3, 5, 7])
        try check.run(
            ISTA(check.scope, 7, step: 0.4, threshold: -100, init: .zeros)(x), inputsHaveOtherUses: otherUses)
    }

    @Test(arguments: [(1, 5), (3, 7)], [false, true])
    func `SubspaceAttention has the gradient of its output`(form: (heads: Int, width: Int), otherUses: Bool) throws {
        for usesSoftmax in [true, false] {
            let check = GradientCheck()
            let u = check.source("u", [2, 9, form.heads * form.width])
            try check.run(
                SubspaceAttention(heads: form.heads, usesSoftmax: usesSoftmax)(u), inputsHaveOtherUses: otherUses)
        }
    }

    @Test(arguments: [false, true]) func `Subtract has the gradient of both terms`(otherUses: Bool) throws {
        let check = GradientCheck()
        let (x, y) = (check.source("x", [3, 7]), check.source("y", [3, 7]))
        try check.run(Subtract()(Subtract()(x, y), y), inputsHaveOtherUses: otherUses)
    }

    @Test(arguments: [false, true]) func `patches have the gradient of their pixels`(otherUses: Bool) throws {
        let layers: [(Tensor) -> Tensor] = [{ PixelPatches(height: 2, width: 3)($0) }, { Patchify(patch: 2)($0) }]
        for layer in layers {
            let check = GradientCheck()
            try check.run(layer(check.source("images", [2, 4, 6, 3])), inputsHaveOtherUses: otherUses)
        }
    }

    @Test(arguments: [false, true])
    func `MaskedSquaredError has the gradient of its prediction`(otherUses: Bool) throws {
        let check = GradientCheck()
        let x = check.source("x", [2, 3, 5])
        let target = check.constant([2, 3, 5], check.numbers(30))
        let mask = check.constant([2, 3], [1, 0, 1, 0, 0, 1])
        try check.run(MaskedSquaredError()(x, target, mask: mask), inputsHaveOtherUses: otherUses)
    }
}

@Suite struct CRATESizeTests {
    /// From the CRATE specification, sections 2 and 3, at 224 pixels in patches of 16.
    @Test(arguments: [
        (CRATESizes.Preset.tiny, 6_090_856, 11_555_328), (.small, 13_116_328, 25_405_824),
        (.base, 22_796_008, 44_638_464), (.large, 77_641_192, 154_274_560),
    ])
    func `a model has as many parameters as the reference`(
        preset: CRATESizes.Preset, classifier: Int, autoencoder: Int
    ) throws {
        let (sizes, image) = (CRATESizes(preset), ImageSpec(side: 224))
        var graph = Graph()
        let crate = try CRATE(graph.scope, CRATE.Settings(sizes, patch: 16), image: image)
        _ = crate.head(graph.scope, classes: 1000)
        #expect(graph.parameters.reduce(0) { $0 + $1.shape.count } == classifier)
        graph = Graph()
        let masked = try MaskedCRATE(
            graph.scope, MaskedCRATE.Settings(sizes, patch: 16), image: image, for: .pretraining)
        _ = CRATEDecoder(graph.scope, sizes, masked.patches)
        #expect(graph.parameters.reduce(0) { $0 + $1.shape.count } == autoencoder)
    }
}
