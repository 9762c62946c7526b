import Autodiff
import Evaluation
import Kernels
import Layers
import Models
import Objectives
import Testing

/// The encoder on unmasked images, at its own size and another, and the images of its tokens.
@Suite struct CRATELooking {
    static let all = CRATEFile.files(holding: "input/images_other_size", "output/attention")
    private let pool = WorkerPool(threads: 2)

    @Test func `there is something to look at`() { #expect(!Self.all.isEmpty) }

    @Test(arguments: all)
    func `an encoder looks at its own size as the reference does`(_ golden: CRATEFile) throws {
        let settings = try golden.autoencoderSettings()
        let side = try #require(golden.config.img_size) / settings.patch
        let own = try look(golden, "input/images", rows: side, columns: side)
        let tokens = side * side + 1
        let samples = own.keys.count / (tokens * settings.sizes.heads * settings.sizes.headWidth)
        let weights = Floats(own.attention)
        let maps = (0..<samples).flatMap { sample -> [Double] in
            let size = settings.sizes.heads * tokens * tokens
            return TokenImages.classAttention(
                weights[sample * size..<(sample + 1) * size], heads: settings.sizes.heads, tokens: tokens
            ).flatMap { $0 }
        }
        let count = try #require(golden.config.pca_components)
        let rows = TokenImages.patches(Floats(own.keys), samples: samples, tokens: tokens)
        let (coordinates, found) = TokenImages.components(rows, count: count, pool: pool)
        let expected: [String: [Double]] = [
            "prepared_tokens": own.tokens.map { Double($0) }, "attention": own.attention.map { Double($0) },
            "keys": own.keys.map { Double($0) }, "features": own.features.map { Double($0) },
            "cls_attention_maps": maps, "pca_mean": found.mean, "pca_components": found.components.flatMap { $0 },
            "pca_explained_variance": found.variances,
            "pca_projection": coordinates.flatMap { interleaved($0) },
        ]
        for name in golden.parts(after: "output/") where !name.hasSuffix("_other_size") && !name.hasSuffix("_u8") {
            let ours = try #require(expected[name], "\(name): nothing is compared with it").map { Float($0) }
            expectWithin(CRATETolerance.output, ours, try golden.floats("output/\(name)"), name)
        }
        let bytes = coordinates.map { $0.map(TokenImages.scaled) }
        expectBytes(bytes.flatMap { $0.flatMap { $0 } }, try golden.integers("output/pca_gray_u8"), "grey")
        expectBytes(
            bytes.flatMap { interleaved(Array($0.dropFirst())) }, try golden.integers("output/pca_rgb_u8"), "colours")
    }

    @Test(arguments: all)
    func `an encoder looks at another size as the reference does`(_ golden: CRATEFile) throws {
        let (settings, size) = (try golden.autoencoderSettings(), try #require(golden.config.other_size))
        let other = try look(
            golden, "input/images_other_size", rows: size[0] / settings.patch, columns: size[1] / settings.patch)
        expectWithin(
            CRATETolerance.output, other.tokens, try golden.floats("output/prepared_tokens_other_size"), "tokens")
        expectWithin(
            CRATETolerance.output, other.attention, try golden.floats("output/attention_other_size"), "attention")
    }

    private struct Look {
        let tokens, attention, keys, features: [Float]
    }

    /// Builds the encoder for images of so many patches; positions are resampled where these are others.
    private func look(_ golden: CRATEFile, _ images: String, rows: Int, columns: Int) throws -> Look {
        let graph = Graph()
        let settings = try golden.autoencoderSettings()
        let patches = PatchGrid(rows: rows, columns: columns, height: settings.patch, width: settings.patch)
        let encoder = try MaskedCRATE(graph.scope, settings, patches, for: .pretraining)
        let stored = try golden.shape(images)
        let input = graph.input("images", [stored[0], stored[2], stored[3], stored[1]])
        let encoding = encoder.encode(input)
        let keys = encoding.layers[try #require(golden.config.layer)].projected
        let attention = SubspaceAttentionWeights(heads: settings.sizes.heads)(keys)
        let store = ParameterStore(graph, minimising: nil, seed: 0, pool: pool)
        let native = try #require(golden.config.img_size) / settings.patch
        for name in store.names {
            var values = try golden.floats("param/\(name)")
            if name.hasSuffix("pos_embed"), (rows, columns) != (native, native) {
                values = PositionResampling.looking(from: native, to: rows, columns)(
                    values, width: settings.sizes.width)
            }
            try #require(store.value(name)).copy(from: values)
        }
        let wanted = [encoding.tokens, attention, keys, encoding.output]
        let plan = try Plan(graph, minimising: nil, keeping: wanted, store: store, pool: pool)
        plan.set(input, Floats(try golden.pixels(images)))
        plan.forward()
        let found = wanted.map { plan.value(of: $0).array }
        return Look(tokens: found[0], attention: found[1], keys: found[2], features: found[3])
    }

    /// Rows of one kind of number each as one row per place.
    private func interleaved<Number>(_ rows: [[Number]]) -> [Number] {
        (0..<rows[0].count).flatMap { place in rows.map { $0[place] } }
    }

    private func expectBytes(_ ours: [UInt8], _ reference: [Int], _ what: String) {
        #expect(ours.count == reference.count, "\(what)")
        let worst = zip(ours, reference).reduce(0) { max($0, abs(Int($1.0) - $1.1)) }
        #expect(worst <= 1, "\(what): off by \(worst)")
    }
}
