import Autodiff
import Kernels
import Layers
import Testing

/// The operations of guidance against differences.
@Suite struct AlignmentTests {
    /// Rows of a side: images and positions as (B, T, C), in groups.
    struct Form: Sendable, CustomTestStringConvertible {
        let comparison: Comparison
        let x, y: Shape
        let group: Int
        var testDescription: String { "\(comparison) of \(x) and \(y) in groups of \(group)" }
    }

    static let forms = [
        Form(comparison: .flatten, x: [6, 2, 5], y: [6, 7], group: 6),
        Form(comparison: .flatten, x: [6, 3], y: [6, 2, 2], group: 3),
        Form(comparison: .samples, x: [4, 3, 5], y: [4, 3, 2], group: 4),
        Form(comparison: .samples, x: [4, 3, 2], y: [4, 3, 6], group: 2),
        Form(comparison: .tokenwise, x: [6, 3, 4], y: [6, 3, 2], group: 6),
        Form(comparison: .tokenwise, x: [8, 2, 3], y: [8, 2, 5], group: 4),
    ]

    @Test(arguments: forms, [false, true])
    func `both forms of alignment have the gradient of their distance`(_ form: Form, otherUses: Bool) throws {
        let groups = SampleGroups(samples: form.x[0], size: form.group)
        for usesGram in [true, false] {
            let check = GradientCheck()
            let x = check.source("x", form.x)
            let y = check.constant(form.y, check.numbers(form.y.count))
            let distance =
                usesGram
                ? GramAlignment(form.comparison, groups)(x, CentredGram(form.comparison, groups)(y))
                : FeatureAlignment(form.comparison, groups)(x, y)
            try check.run(distance, inputsHaveOtherUses: otherUses)
        }
    }

    @Test(arguments: forms) func `both forms agree`(_ form: Form) throws {
        let groups = SampleGroups(samples: form.x[0], size: form.group)
        let graph = Graph()
        let (x, y) = (graph.input("x", form.x), graph.input("y", form.y))
        let gram = GramAlignment(form.comparison, groups)(x, CentredGram(form.comparison, groups)(y))
        let features = FeatureAlignment(form.comparison, groups)(x, y)
        let pool = WorkerPool(threads: 1)
        let store = ParameterStore(graph, minimising: nil, seed: 0, pool: pool)
        let plan = try Plan(graph, minimising: nil, keeping: [gram, features], store: store, pool: pool)
        let check = GradientCheck()
        plan.set(x, Floats(check.numbers(form.x.count)))
        plan.set(y, Floats(check.numbers(form.y.count)))
        plan.forward()
        #expect(abs(plan.value(of: gram)[0] - plan.value(of: features)[0]) < 1e-6)
    }

    @Test(arguments: [true, false]) func `a constant side counts as a distance of 1 without a gradient`(
        usesGram: Bool
    ) throws {
        let groups = SampleGroups(samples: 4, size: 4)
        let graph = Graph()
        let x = graph.scope.parameter("weight", [3, 3], .normal(std: 1))
        let features = Linear(weight: x, bias: .none)(graph.input("x", [4, 3]))
        let y = graph.input("y", [4, 2])
        let distance =
            usesGram
            ? GramAlignment(.flatten, groups)(features, CentredGram(.flatten, groups)(y))
            : FeatureAlignment(.flatten, groups)(features, y)
        let pool = WorkerPool(threads: 1)
        let store = ParameterStore(graph, minimising: distance, seed: 0, pool: pool)
        let plan = try Plan(graph, minimising: distance, keeping: [distance], store: store, pool: pool)
        store.gradients.fill(1)
        plan.forward()
        plan.backward()
        #expect(plan.value(of: distance).array == [1, 1])
        #expect(try #require(store.gradient("weight")).array.allSatisfy { $0 == 0 })
    }

    @Test func `groups do not depend on the number of ranks`() {
        let whole = SampleGroups(samples: 12, size: 4)
        #expect(whole.count == 3 && whole.isLocal)
        #expect(SampleGroups(samples: 4, rank: 1, ranks: 3, size: 4).isLocal)
        #expect(!SampleGroups(samples: 3, rank: 1, ranks: 4, size: 4).isLocal)
        #expect(SampleGroups(samples: 3, rank: 1, ranks: 4, size: 256).size == 12)
    }

    @Test(arguments: [false, true]) func `visible rows have the gradient of all rows`(otherUses: Bool) throws {
        for (mask, values) in [
            ([2, 2, 2] as Shape, [0, 1, 1, 0, 1, 0, 0, 1] as [Float]),
            // Finer than the rows: the element above a position's corner counts.
            ([2, 8, 8], (0..<128).map { Float($0 % 8 / 4) }),
        ] {
            let check = GradientCheck()
            let x = check.source("x", [2, 16, 3])
            let hidden = check.constant(mask, values)
            try check.run(VisibleRows(8)(x, mask: hidden), inputsHaveOtherUses: otherUses)
        }
    }

    /// Two samples of four places; each drops one, the first shows one token, the second two.
    private static let fates: [Float] = [0, 1, 2, 1, 2, 0, 0, 1]

    @Test(arguments: [false, true], [1, 2]) func `centred visible tokens have the gradient of what is shown`(
        otherUses: Bool, group: Int
    ) throws {
        let check = GradientCheck()
        let x = check.source("x", [2, 3, 3])
        let mask = check.constant([2, 2, 2], Self.fates)
        let centred = CentredVisible(SampleGroups(samples: 2, size: group))(x, mask: mask)
        try check.run(centred, inputsHaveOtherUses: otherUses)
    }

    /// The distance of three visible tokens is that of three rows without any others.
    @Test(arguments: [true, false]) func `masked tokens have no weight in a comparison`(usesGram: Bool) throws {
        let check = GradientCheck()
        let (x, y) = (check.numbers(18), check.numbers(12))
        func rows(_ values: [Float], _ width: Int) -> [Float] {
            [0, 3, 4].flatMap { Array(values[$0 * width..<($0 + 1) * width]) }
        }
        func distance(_ x: [Float], _ y: [Float], samples: Int, mask: [Float]?) throws -> Float {
            let groups = SampleGroups(samples: samples, size: samples)
            let graph = Graph()
            let first = graph.input("x", [samples, x.count / 3 / samples, 3])
            let second = graph.input("y", [samples, y.count / 2 / samples, 2])
            let fates = graph.input("mask", [samples, 2, 2])
            func shown(_ tokens: Tensor) -> Tensor {
                mask == nil ? tokens : CentredVisible(groups)(tokens, mask: fates)
            }
            let distance =
                usesGram
                ? GramAlignment(.samples, groups)(shown(first), CentredGram(.samples, groups)(shown(second)))
                : FeatureAlignment(.samples, groups)(shown(first), shown(second))
            let pool = WorkerPool(threads: 1)
            let store = ParameterStore(graph, minimising: nil, seed: 0, pool: pool)
            let plan = try Plan(graph, minimising: nil, keeping: [distance], store: store, pool: pool)
            plan.set(first, Floats(x))
            plan.set(second, Floats(y))
            if let mask { plan.set(fates, Floats(mask)) }
            plan.forward()
            return plan.value(of: distance)[0]
        }
        let masked = try distance(x, y, samples: 2, mask: Self.fates)
        #expect(abs(masked - (try distance(rows(x, 3), rows(y, 2), samples: 1, mask: nil))) < 1e-6)
    }

    @Test(arguments: [false, true]) func `a guided loss has the gradient of its terms`(otherUses: Bool) throws {
        let check = GradientCheck()
        let (task, first, second) = (check.source("task", [1]), check.source("a", [2]), check.source("b", [2]))
        let (weight, alpha) = (check.constant([1], [3]), check.constant([1], [0.5]))
        try check.run(
            GuidedLoss(ranks: 2)(task, weight: weight, alpha: alpha, [first, second]), inputsHaveOtherUses: otherUses)
    }
}
