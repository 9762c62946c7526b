import Autodiff
import Checkpoints
import FoundationEssentials
import Models
import Objectives
import Testing

/// Pre-training weights and what a classifier of another window or grid makes of them.
struct SimMIMConversionFixture: Decodable, Sendable {
    let pretrain, finetune: SimMIMDescription
    let dropped_decoder_keys, missing_keys_kept_at_init, unexpected_keys_ignored: [String]
}

/// Tables of position biases before and after they were stretched.
struct BiasResamplingFixture: Decodable, Sendable {
    struct Case: Decodable, Sendable {
        let key: String
        let src_rows, dst_rows, heads: Int
        let extra_rows_copied: Int?
        let q: Double
        let source_positions, target_positions: [Double]
    }
    let cases: [Case]
}

@Suite struct SimMIMConversion {
    @Test(arguments: ImageFixture<SimMIMConversionFixture>.all(in: "simmim"))
    func `a classifier takes over the reference's share of a pre-training file`(
        _ fixture: ImageFixture<SimMIMConversionFixture>
    ) throws {
        let (config, tensors) = (fixture.config, fixture.tensors)
        let prefix = "param/\(SimMIM.encoderPrefix)"
        var stored: [String: StoredWeights] = [:]
        for name in tensors.names where name.hasPrefix(prefix) {
            let tensor = try tensors.tensor(name)
            stored[String(name.dropFirst(prefix.count))] = StoredWeights(shape: tensor.shape, values: tensor.floats)
        }
        let source = Graph()
        let pretraining = try SimMIM(
            .init(maskRatio: 0.6, maskPatchSize: try #require(config.pretrain.config.mask_patch_size)),
            config.pretrain.settings, source.scope, config.pretrain.config.input)
        let decoder = source.parameters.map(\.name).filter { !$0.hasPrefix(SimMIM.encoderPrefix) }
        #expect(decoder == config.dropped_decoder_keys)
        // An encoder takes its own weights as they are, but for the tables that it makes anew.
        let own = pretraining.encoder.converted(stored)
        #expect(own == stored.filter { own.keys.contains($0.key) })

        let graph = Graph()
        let classifier = try Classification(
            .init(labelSmoothing: 0.1), config.finetune.settings, graph.scope, config.finetune.config.input)
        let found = classifier.encoder.converted(stored)
        let names = graph.parameters.map(\.name)
        let missing = Set(names + graph.buffers.map(\.name)).subtracting(found.keys)
        #expect(missing == Set(config.missing_keys_kept_at_init))
        #expect(Set(found.keys).subtracting(names) == Set(config.unexpected_keys_ignored))
        let expected = tensors.names.filter { $0.hasPrefix("output/") }
        #expect(Set(expected.map { String($0.dropFirst(7)) }) == Set(found.keys).intersection(names))
        for name in expected {
            let (reference, ours) = (try tensors.tensor(name), try #require(found[String(name.dropFirst(7))]))
            #expect(ours.shape == reference.shape, "\(name)")
            expectWithin(1e-6, ours.values, reference.floats, name)
        }
    }

    @Test(arguments: ImageFixture<BiasResamplingFixture>.all(in: "simmim"))
    func `a stretched table equals the reference`(_ fixture: ImageFixture<BiasResamplingFixture>) throws {
        for sample in fixture.config.cases {
            let others = sample.extra_rows_copied ?? 0
            let resampling = PositionBiasResampling(
                from: sample.source_positions.count, to: sample.target_positions.count)
            #expect(abs(resampling.ratio - sample.q) <= 1e-12, "\(sample.key)")
            #expect(zip(resampling.sources, sample.source_positions).allSatisfy { abs($0 - $1) <= 1e-9 })
            #expect(resampling.targets == sample.target_positions)
            let table = try fixture.tensors.tensor("input/\(sample.key)").floats
            let reference = try fixture.tensors.tensor("output/\(sample.key)").floats
            let offsets = sample.src_rows - others
            #expect(table.count == sample.src_rows * sample.heads && reference.count == sample.dst_rows * sample.heads)
            for head in 0..<sample.heads {
                let column = resampling((0..<offsets).map { Double(table[$0 * sample.heads + head]) })
                #expect(column.count == sample.dst_rows - others, "\(sample.key)")
                expectWithin(
                    1e-6, column.map { Float($0) }, column.indices.map { reference[$0 * sample.heads + head] },
                    "\(sample.key), head \(head)")
            }
        }
    }
}
