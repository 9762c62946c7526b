import Checkpoints
import Kernels
import Testing

@Suite struct NameMapTests {
    static func names(_ rules: [NameMap.Rule], _ names: [String]) throws -> [String] {
        try NameMap(rules).apply(to: names.map { ($0, [6, 2]) }).map(\.name)
    }

    @Test func `rules apply in order, each to what the ones before left`() throws {
        let rules: [NameMap.Rule] = [
            .dropPrefix("module."), .ignore("decoder.**"),
            .rename("transformer.layers.*.0.fn.qkv.*", "blocks.*.attn.qkv.*"),
            .rename("**.gamma", "**.weight"), .addPrefix("encoder."),
        ]
        let foreign = [
            "module.transformer.layers.11.0.fn.qkv.weight", "module.decoder.embed.weight", "cls_token", "norm.gamma",
            "module.decoder", "module.decoder_pos",
        ]
        #expect(
            try Self.names(rules, foreign) == [
                "encoder.blocks.11.attn.qkv.weight", "encoder.cls_token", "encoder.norm.weight", "encoder.decoder_pos",
            ])
    }

    @Test func `a star is one part and no less`() throws {
        let rules: [NameMap.Rule] = [.rename("a.*.c", "x.*")]
        #expect(try Self.names(rules, ["a.b.c", "a.c", "a.b.b.c", "aa.b.c"]) == ["x.b", "a.c", "a.b.b.c", "aa.b.c"])
    }

    @Test func `a joint projection is cut into thirds`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path(of: "foreign.safetensors")
        try Safetensors.write(
            [
                StoredTensor("b.0.qkv.weight", [6, 2], Floats((0..<12).map { Float($0) })),
                StoredTensor("b.0.qkv.bias", [6], Floats([0, 1, 2, 3, 4, 5])),
            ], to: path)
        let map = NameMap([.splitQKV("b.*.qkv.*", query: "b.*.q.*", key: "b.*.k.*", value: "b.*.v.*")])
        let tensors = Dictionary(
            uniqueKeysWithValues: try map.apply(to: Safetensors(path).tensors).map { ($0.name, $0) })
        #expect(tensors.count == 6)
        #expect(tensors["b.0.k.weight"]?.shape == [2, 2] && tensors["b.0.k.weight"]?.floats == [4, 5, 6, 7])
        #expect(tensors["b.0.v.bias"]?.floats == [4, 5])
        #expect(throws: CheckpointError.self) { try map.apply(to: [("b.0.qkv.weight", [7, 2])]) }
    }

    @Test func `two tensors that end under one name are refused`() {
        #expect(throws: CheckpointError.self) { try Self.names([.rename("a", "b")], ["a", "b"]) }
    }
}

@Suite struct FittingTests {
    static let stored = [
        StoredTensor("a", [2], Floats([1, 2])), StoredTensor("b", [2], Floats([3, 4])),
        StoredTensor("n", [], integers: [5]),
    ]

    @Test func `tensors come in the order in which they are wanted`() throws {
        let wanted = [WantedTensor("n", [], isInteger: true), WantedTensor("b", [2]), WantedTensor("a", [2])]
        #expect(try Self.stored.fitted(to: wanted, from: "x").compactMap { $0?.name } == ["n", "b", "a"])
    }

    @Test func `one error tells all that does not fit`() throws {
        let wanted = [WantedTensor("a", [3]), WantedTensor("c", [1]), WantedTensor("n", [])]
        let error = #expect(throws: CheckpointError.self) {
            try Self.stored.fitted(to: wanted, from: "model.safetensors")
        }
        #expect(error?.reason == .mismatched)
        #expect(
            error?.found
                == "1 missing: c; 1 unexpected: b; 2 mis-shaped: a [2], wanted [3], n of I64, wanted floats")
    }

    @Test func `a new head may be missing`() throws {
        let wanted = Self.stored.map { WantedTensor($0.name, $0.shape, isInteger: $0.kind.isInteger) }
        let fitted = try Self.stored.fitted(
            to: wanted + [WantedTensor("head.weight", [9])], mayMiss: ["head.*"], from: "x")
        #expect(fitted.count == 4 && fitted[3] == nil)
    }
}
