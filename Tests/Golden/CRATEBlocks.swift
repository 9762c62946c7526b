import Autodiff
import FoundationEssentials
import Kernels
import Layers
import Models
import Testing

/// Single operators and layers with their gradients.
@Suite struct CRATEBlocks {
    struct Settings: Decodable, Sendable {
        struct Case: Decodable, Sendable {
            let step_size, lambd, layernorm_eps: Double?
            let softmax: Bool?
        }
        let dim, heads, dim_head: Int
        let cases: [String: Case]
    }
    struct Block: Sendable, CustomTestStringConvertible {
        let golden: CRATEFile
        let settings: Settings
        let name: String
        var testDescription: String { "\(golden.name) \(name)" }
    }

    static let all: [Block] = CRATEFile.files().flatMap { golden -> [Block] in
        guard let text = golden.file.metadata["config"],
            let settings = try? JSONDecoder().decode(Settings.self, from: Data(text.utf8))
        else { return [] }
        return settings.cases.keys.sorted().filter { golden.file.contains("input/\($0)/cotangent") }.map {
            Block(golden: golden, settings: settings, name: $0)
        }
    }

    @Test func `there are operators to compare`() { #expect(!Self.all.isEmpty) }

    @Test(arguments: all)
    func `an operator gives the reference's output and gradients`(_ block: Block) throws {
        let (golden, name) = (block.golden, block.name)
        let (graph, pool) = (Graph(), WorkerPool(threads: 2))
        let x = try golden.file.tensor("input/\(name)/x")
        let input = graph.apply(TrainedInput(graph.scope, "x", Shape(x.shape)))
        let y = try output(block, graph.scope[name], input)
        let cotangent = try golden.floats("input/\(name)/cotangent")
        let loss = y.apply(Weighted(cotangent))
        let store = ParameterStore(graph, minimising: loss, seed: 0, pool: pool)
        #expect(
            Set(golden.parts(after: "param/\(name)/").map { "\(name).\($0)" } + ["x"]) == Set(store.names))
        for parameter in golden.parts(after: "param/\(name)/") {
            try #require(store.value("\(name).\(parameter)")).copy(from: golden.floats("param/\(name)/\(parameter)"))
        }
        try #require(store.value("x")).copy(from: x.floats)
        let plan = try Plan(graph, minimising: loss, keeping: [y], store: store, pool: pool)
        plan.forward()
        plan.backward()
        expectWithin(CRATETolerance.output, plan.value(of: y).array, try golden.floats("output/\(name)/y"), "y")
        for parameter in golden.parts(after: "grad/\(name)/") {
            let ours = try #require(store.gradient("\(name).\(parameter)")).array
            expectWithin(CRATETolerance.gradient, ours, try golden.floats("grad/\(name)/\(parameter)"), parameter)
        }
        expectWithin(
            CRATETolerance.gradient, try #require(store.gradient("x")).array,
            try golden.floats("grad_input/\(name)/x"), "x")
    }

    /// What the keys of a case say which operator it is.
    private func output(_ block: Block, _ scope: Scope, _ x: Tensor) throws -> Tensor {
        let settings = block.settings
        let the = try #require(settings.cases[block.name])
        let sizes = CRATESizes(width: settings.dim, depth: 1, heads: settings.heads, headWidth: settings.dim_head)
        switch (the.step_size, the.layernorm_eps) {
        case (let step?, nil):
            let threshold = try #require(the.lambd)
            return ISTA(scope, settings.dim, step: step, threshold: threshold, init: .zeros)(x)
        case (let step?, _):
            let threshold = try #require(the.lambd)
            return CRATELayer(scope["layers"][0], sizes, step: step, threshold: threshold, init: .xavier)(x).output
        case (nil, nil):
            return SubspaceSelfAttention(
                scope, width: settings.dim, heads: settings.heads, headWidth: settings.dim_head,
                usesSoftmax: try #require(the.softmax as Bool?), init: .xavier)(x).output
        case (nil, _):
            return CRATEDecoderLayer(scope["layers"][0], sizes, init: .xavier)(x).output
        }
    }
}
