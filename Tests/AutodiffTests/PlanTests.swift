import AllocationCounter
import Autodiff
import Kernels
import Testing

/// x + blocks, where a block is x ← x + (w·x)²·v: small enough to differentiate by hand in Double.
private struct Tower {
    let graph = Graph()
    let input: Tensor
    let loss: Tensor
    let inner: Tensor

    init(depth: Int, width: Int, sharesWeights: Bool = false) {
        input = graph.input("x", [width])
        var x = input
        var inner = x
        for block in 0..<depth {
            let scope = graph.scope["blocks"][sharesWeights ? 0 : block]
            let first = Times(weight: scope.parameter("w", [width], .normal(std: 0.5)))
            let second = Times(weight: scope.parameter("v", [width], .normal(std: 0.5)))
            let body = { (x: Tensor) -> Tensor in
                inner = x.apply(first).apply(Square())
                return x.apply(Plus(), inner.apply(second))
            }
            x = graph.block { body(x) }
        }
        self.inner = inner
        loss = x.apply(Square()).apply(Total())
    }

    func gradients(
        recomputes: Bool = false, options: PlanOptions = PlanOptions(), pool: WorkerPool
    ) throws -> (ParameterStore, Plan) {
        var options = options
        options.recomputesBlocks = recomputes
        let store = ParameterStore(graph, minimising: loss, seed: 7, pool: pool)
        let plan = try Plan(graph, minimising: loss, store: store, pool: pool, options: options)
        plan.set(input, Floats((0..<input.shape.count).map { Float($0) * 0.1 - 0.3 }))
        plan.forward()
        plan.backward()
        return (store, plan)
    }
}

@Suite struct PlanTests {
    let pool = WorkerPool(threads: 1)

    @Test(arguments: [false, true]) func `gradients agree with finite differences`(recomputes: Bool) throws {
        let tower = Tower(depth: 3, width: 5)
        let (store, plan) = try tower.gradients(recomputes: recomputes, pool: pool)
        for name in store.names {
            let (values, gradient) = (try #require(store.value(name)), try #require(store.gradient(name)).array)
            for index in 0..<values.count {
                let kept = values[index]
                func loss(_ shift: Float) -> Double {
                    values[index] = kept + shift
                    plan.forward()
                    return Double(plan.value(of: tower.loss)[0])
                }
                let slope = (loss(0.01) - loss(-0.01)) / 0.02
                values[index] = kept
                #expect(abs(slope - Double(gradient[index])) < 2e-3 * max(1, abs(slope)), "\(name)[\(index)]")
            }
        }
    }

    @Test func `recomputing and sharing memory change no bit of a gradient`() throws {
        var plain = PlanOptions()
        plain.recomputesCheap = false
        let expected = try Tower(depth: 4, width: 9).gradients(options: plain, pool: pool).0
        for recomputes in [false, true] {
            let tower = Tower(depth: 4, width: 9)
            let (store, plan) = try tower.gradients(recomputes: recomputes, pool: pool)
            #expect(store.gradients.array == expected.gradients.array)
            #expect(plan.report.recomputedOperations > 0)
            #expect(plan.report.arenaBytes < plan.report.unsharedBytes)
        }
    }

    @Test func `a shared parameter gets the sum of its uses`() throws {
        let shared = Tower(depth: 2, width: 4, sharesWeights: true)
        let (store, plan) = try shared.gradients(pool: pool)
        let once = store.gradients.array
        plan.forward()
        plan.backward(adding: true)
        for (first, second) in zip(once, store.gradients.array) {
            #expect(abs(second - 2 * first) <= 1e-5 * abs(first))
        }
    }

    @Test func `parameters lie in the order in which backward finishes them`() throws {
        let tower = Tower(depth: 3, width: 4)
        var options = PlanOptions()
        options.bucketBytes = 1
        let (store, plan) = try tower.gradients(options: options, pool: pool)
        #expect(store.slots.map(\.parameter.name).first == "blocks.2.v")
        #expect(store.slots.map(\.parameter.name).last == "blocks.0.w")
        var ready: [Int] = []
        plan.forward()
        plan.backward { ready.append($0) }
        #expect(ready == Array(0..<6))
    }

    @Test func `every shape that does not fit is reported with its scope`() throws {
        let graph = Graph()
        let x = graph.input("x", [3])
        let wrong = x.apply(Times(weight: graph.scope["a"].parameter("w", [4], .ones)))
        _ = x.apply(Times(weight: graph.scope["b"]["c"].parameter("w", [5], .ones)))
        let loss = wrong.apply(Total())
        let store = ParameterStore(graph, minimising: loss, seed: 0, pool: pool)
        #expect(
            throws: PlanError.shapes([
                "a (Times): input (3): weight wants (4)", "b.c (Times): input (3): weight wants (5)",
            ])
        ) { try Plan(graph, minimising: loss, store: store, pool: pool) }
    }

    @Test func `a frozen parameter costs no gradient and keeps its value`() throws {
        let tower = Tower(depth: 2, width: 4)
        let store = ParameterStore(
            tower.graph, minimising: tower.loss, seed: 7, pool: pool, isFrozen: { $0.hasPrefix("blocks.0") })
        let plan = try Plan(tower.graph, minimising: tower.loss, store: store, pool: pool)
        plan.set(tower.input, Floats([1, 2, 3, 4]))
        plan.forward()
        plan.backward()
        #expect(store.gradient("blocks.0.w") == nil)
        #expect(store.gradient("blocks.1.w")?.array.contains { $0 != 0 } == true)
        #expect(store.gradients.count == 32)
    }

    @Test func `a step allocates nothing`() throws {
        let tower = Tower(depth: 3, width: 64)
        let (_, plan) = try tower.gradients(recomputes: true, pool: pool)
        let image = Floats(zeros: 64)
        let before = allocations_of_this_thread()
        plan.set(tower.input, image)
        plan.forward()
        plan.backward()
        let after = allocations_of_this_thread()
        #expect(before > 0, "the counter is not linked in")
        #expect(after == before)
    }

    @Test func `start values depend on seed and name alone`() throws {
        let stores = [1, 3].map { threads in
            let pool = WorkerPool(threads: threads)
            let graph = Graph()
            let big = graph.scope.parameter("big", [100_000], .truncatedNormal(std: 0.02, cut: 0.02))
            let other = graph.scope.parameter("other", [100_000], .truncatedNormal(std: 0.02, cut: 0.02))
            _ = (big, other)
            return ParameterStore(graph, minimising: nil, seed: 3, pool: pool)
        }
        let values = try stores.map { try #require($0.value("big")).array }
        #expect(values[0] == values[1])
        #expect(values[0] != stores[0].value("other")?.array)
        #expect(values[0].allSatisfy { abs($0) <= 0.02 })
        // A normal cut at one deviation has a deviation of 0.5396 of the whole one.
        let variance = values[0].reduce(0) { $0 + Double($1) * Double($1) } / 100_000
        #expect(abs(variance.squareRoot() - 0.02 * 0.5396) < 1e-4)
    }
}
