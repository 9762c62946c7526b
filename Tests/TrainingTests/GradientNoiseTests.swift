import Autodiff
import Cluster
import Checkpoints
import Cluster
import Kernels
import Optimizers
import Recipes
import Testing
import Training

struct GradientNoiseTests {
    private let noise = GradientNoise(.absolute(variance: 1), seed: 0x1234_5678_9ABC_DEF0)

    @Test func `a slice of a parameter gets the bits of the whole`() {
        let pool = WorkerPool(threads: 2)
        let whole = Floats(zeros: 10_001), slice = Floats(zeros: 5000)
        noise.add(to: whole, parameter: 3, step: 17, std: 0.5, pool: pool)
        noise.add(to: slice, first: 1003, parameter: 3, step: 17, std: 0.5, pool: pool)
        #expect(slice.array == Array(whole.array[1003..<6003]))
    }

    @Test func `parameters and updates draw different numbers`() {
        let pool = WorkerPool(threads: 1)
        let draws = [(0, 0), (1, 0), (0, 1)].map { parameter, step in
            let floats = Floats(zeros: 64)
            noise.add(to: floats, parameter: UInt32(parameter), step: step, std: 1, pool: pool)
            return floats.array
        }
        #expect(draws[0] != draws[1] && draws[0] != draws[2] && draws[1] != draws[2])
    }

    /// A million values of one parameter and update, from `part` million on.
    private func draws(_ parameter: UInt32, _ step: Int, part: Int, _ pool: WorkerPool) -> Floats {
        let floats = Floats(zeros: 1_000_000)
        noise.add(to: floats, first: part * 1_000_000, parameter: parameter, step: step, std: 1, pool: pool)
        return floats
    }

    @Test func `ten million draws have the moments of a normal law and nothing in common with their neighbours`() {
        let pool = WorkerPool(threads: 2)
        var sums = [Double](repeating: 0, count: 5)
        let count = 10_000_000.0
        for part in 0..<10 {
            let (own, later, other) = (
                draws(0, 0, part: part, pool), draws(0, 1, part: part, pool), draws(1, 0, part: part, pool)
            )
            for index in 0..<own.count {
                let value = Double(own[index]), square = value * value
                sums[0] += value
                sums[1] += square
                sums[2] += square * square
                sums[3] += value * Double(later[index])
                sums[4] += value * Double(other[index])
            }
        }
        #expect(abs(sums[0] / count) < 1e-3)
        #expect(abs(sums[1] / count - 1) < 2e-3)
        #expect(abs(sums[2] / count - 3) < 0.01)
        #expect(abs(sums[3] / count) < 1e-3, "updates")
        #expect(abs(sums[4] / count) < 1e-3, "parameters")
    }

    @Test func `lanes of a block have nothing in common`() {
        let pool = WorkerPool(threads: 2)
        let pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
        var sums = [Double](repeating: 0, count: pairs.count)
        for part in 0..<40 {
            let own = draws(5, 3, part: part, pool)
            for block in 0..<own.count / 4 {
                for (index, pair) in pairs.enumerated() {
                    sums[index] += Double(own[4 * block + pair.0]) * Double(own[4 * block + pair.1])
                }
            }
        }
        #expect(sums.allSatisfy { abs($0 / 1e7) < 1e-3 }, "\(sums)")
    }

    @Test func `relative noise at the first update has the gradient's norm`() {
        let relative = GradientNoise(.relative(share: 1), seed: 1)
        #expect(abs(relative.std(at: 0, norm: 6, count: 9) - 2) < 1e-12)
    }

    @Test func `names are numbered in the order of their bytes`() {
        let names = ["encoder.blocks.2", "decoder", "Head", "encoder.blocks.10"]
        let order = GradientNoise.order(of: names)
        #expect(order == ["Head": 0, "decoder": 1, "encoder.blocks.10": 2, "encoder.blocks.2": 3])
    }
}

/// What the section `grad_noise` of a recipe makes of the rule.
struct NoiseStageTests {
    private static let recipe = "Recipes/noise-fcn6x50-digits-6000up.yaml"
    private let store: ParameterStore

    init() throws { store = try bench(Self.recipe, batch: 4).trainer.store }

    private func stage(_ changes: [String], network: Int = 0) throws -> NoiseStage {
        let recipe = try shippedRecipe(Self.recipe, changes)
        return try #require(NoiseStage(recipe, store, network: network) { NamePattern($0).match($1) != nil })
    }

    /// What gradients of zero become.
    private func added(_ changes: [String], network: Int = 0, step: Int) throws -> [Float] {
        var stage = try stage(changes, network: network)
        let gradients = Floats(zeros: store.gradients.count)
        stage.add(to: gradients, step: step, norm: 1, Clip(limit: nil), pool: WorkerPool(threads: 1))
        return gradients.array
    }

    @Test func `names that are excluded get none, the others what they would have got`() throws {
        let (all, some) = (try added([], step: 3), try added(["grad_noise.exclude=['**.bias']"], step: 3))
        for slot in store.trainableSlots {
            let isSpared = slot.parameter.name.hasSuffix(".bias")
            #expect(all[slot.range].contains { $0 != 0 })
            #expect(isSpared ? some[slot.range].allSatisfy { $0 == 0 } : some[slot.range] == all[slot.range])
        }
    }

    @Test func `a pattern that fits no name is refused`() throws {
        try stage(["grad_noise.exclude=['**.bias', layers.0.weight]"]).checkExclude()
        let error = #expect(throws: SharedError.self) {
            try stage(["grad_noise.exclude=['**.bias', no.such.name]"]).checkExclude()
        }
        #expect(error?.description.contains("grad_noise.exclude: found 'no.such.name'") == true)
    }

    @Test func `noise begins and ends where the recipe says, and falls from the first update on`() throws {
        for step in 0..<5 {
            let found = try added(["grad_noise.start_step=2", "grad_noise.stop_step=4"], step: step)
            let all = try added([], step: step)
            #expect((2..<4).contains(step) ? found == all : found.allSatisfy { $0 == 0 })
        }
    }

    @Test func `the second network draws with the next seed`() throws {
        let second = try added(["grad_noise.seed=7"], network: 1, step: 3)
        #expect(try second == added(["grad_noise.seed=8"], step: 3))
        #expect(try second != added(["grad_noise.seed=7"], step: 3))
    }

    @Test func `an update that is skipped draws none and counts for none`() throws {
        func weights(skipping: Bool) throws -> [Float] {
            let trainer = try bench(Self.recipe, batch: 4).trainer
            if skipping {
                let before = trainer.store.values.array
                trainer.store.values.fill(.nan)
                #expect(try trainer.step().isSkipped)
                trainer.store.values.copy(from: before)
            }
            #expect(try !trainer.step().isSkipped)
            return trainer.store.values.array
        }
        #expect(try weights(skipping: true) == weights(skipping: false))
    }
}
