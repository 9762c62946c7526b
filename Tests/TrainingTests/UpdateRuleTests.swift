import Kernels
import Optimizers
import Testing
import Training

/// Tensors of one rule's test: a matrix longer than a piece, a gap, a vector, and a matrix of odd size.
private struct Bench {
    static let tensors = [
        RunTensor(range: 0..<40_003, rank: 2), RunTensor(range: 40_016..<40_023, rank: 1),
        RunTensor(range: 40_032..<40_033, rank: 2), RunTensor(range: 40_048..<57_000, rank: 2),
    ]
    static let count = 57_000
    static let rules: [any UpdateRule] = [
        AdamW(), Adam(), SGD(), SGD(.init(momentum: 0.9, nesterov: true)), Lion(), LAMB(),
        LAMB(.init(alwaysAdapt: true)),
        LARS(.init(form: .mae)), LARS(.init(form: .timm, trustClip: true, alwaysAdapt: true)),
    ]

    let values: Floats, gradients: Floats, state: [Floats]

    init(_ rule: any UpdateRule) {
        values = Self.noise(1)
        gradients = Self.noise(2)
        state = rule.stateNames.map { _ in Floats(zeros: Self.count) }
    }

    static func noise(_ sample: UInt64) -> Floats {
        var random = RandomStream(seed: 5, purpose: .procedural, sample: sample)
        return Floats((0..<count).map { _ in Float(random.uniform(-1...1)) })
    }

    func run(_ tensors: [RunTensor] = Bench.tensors) -> ParameterRun {
        ParameterRun(values: values, gradients: gradients, state: state, tensors: tensors)
    }

    /// Bits of values and state after three updates of `runs`.
    func bits(_ rule: any UpdateRule, _ runs: [ParameterRun], _ pool: WorkerPool) -> [[UInt32]] {
        for step in 1...3 {
            gradients.copy(from: Self.noise(UInt64(step + 1)))
            for run in runs { rule.update(run, learningRate: 0.01, weightDecay: 0.05, step: step, pool: pool) }
        }
        return ([values] + state).map { $0.array.map(\.bitPattern) }
    }
}

struct UpdateRuleTests {
    @Test(arguments: Bench.rules.indices)
    func `every instruction level gives the same bits`(_ index: Int) {
        let rule = Bench.rules[index]
        let results = InstructionLevel.allCases.filter { $0 <= .detected }.map { level in
            let bench = Bench(rule)
            return bench.bits(rule, [bench.run()], WorkerPool(threads: 1, level: level))
        }
        #expect(results.allSatisfy { $0 == results[0] }, "\(rule)")
    }

    @Test(arguments: Bench.rules.indices)
    func `three threads give the bits of one`(_ index: Int) {
        let rule = Bench.rules[index]
        let results = [1, 3].map { threads in
            let bench = Bench(rule)
            return bench.bits(rule, [bench.run()], WorkerPool(threads: threads))
        }
        #expect(results[0] == results[1], "\(rule)")
    }

    @Test(arguments: Bench.rules.indices)
    func `cutting a run into one run a tensor changes nothing`(_ index: Int) {
        let rule = Bench.rules[index]
        let pool = WorkerPool(threads: 1)
        let whole = Bench(rule), cut = Bench(rule)
        let together = whole.bits(rule, [whole.run()], pool)
        let apart = cut.bits(rule, Bench.tensors.map { cut.run([$0]) }, pool)
        #expect(together == apart, "\(rule)")
    }

    @Test(arguments: Bench.rules.indices)
    func `a tensor left out and the gaps between tensors stay as they are`(_ index: Int) {
        let rule = Bench.rules[index]
        let bench = Bench(rule)
        let before = bench.values.array
        _ = bench.bits(rule, [bench.run([Bench.tensors[0], Bench.tensors[3]])], WorkerPool(threads: 1))
        let after = bench.values.array
        #expect(after[40_003..<40_048] == before[40_003..<40_048])
        #expect(after[..<40_003] != before[..<40_003])
    }

    @Test func `momentum starts undamped and is damped afterwards`() {
        let values = Floats([0]), gradients = Floats([1]), buffer = Floats([0])
        let run = ParameterRun(
            values: values, gradients: gradients, state: [buffer], tensors: [RunTensor(range: 0..<1, rank: 1)])
        let rule = SGD(.init(momentum: 0.5, dampening: 0.25))
        let pool = WorkerPool(threads: 1)
        rule.update(run, learningRate: 1, weightDecay: 0, step: 1, pool: pool)
        #expect(buffer[0] == 1)
        rule.update(run, learningRate: 1, weightDecay: 0, step: 2, pool: pool)
        #expect(buffer[0] == 1.25)
        #expect(values[0] == -2.25)
    }

    @Test func `Lion takes no step where the mixed direction is zero`() {
        let values = Floats([1, 1, 1]), gradients = Floats([0, 3, -3])
        let run = ParameterRun(
            values: values, gradients: gradients, state: [Floats(zeros: 3)],
            tensors: [RunTensor(range: 0..<3, rank: 1)])
        Lion().update(run, learningRate: 0.5, weightDecay: 0, step: 1, pool: WorkerPool(threads: 1))
        #expect(values.array == [1, 0.5, 1.5])
    }

    @Test func `LAMB moves a tensor without decay by Adam's step`() {
        let values = Floats([4, 3]), gradients = Floats([2, -2])
        let run = ParameterRun(
            values: values, gradients: gradients, state: [Floats(zeros: 2), Floats(zeros: 2)],
            tensors: [RunTensor(range: 0..<2, rank: 1)])
        LAMB().update(run, learningRate: 0.5, weightDecay: 0, step: 1, pool: WorkerPool(threads: 1))
        // The first bias-corrected direction is ±1 (to ε / |g|).
        #expect(abs(values[0] - 3.5) < 1e-5 && abs(values[1] - 3.5) < 1e-5)
    }

    @Test func `LAMB scales a decaying tensor's step by the ratio of the norms`() {
        let values = Floats([3, 4]), gradients = Floats([2, -2])
        let run = ParameterRun(
            values: values, gradients: gradients, state: [Floats(zeros: 2), Floats(zeros: 2)],
            tensors: [RunTensor(range: 0..<2, rank: 2)])
        LAMB().update(run, learningRate: 0.1, weightDecay: 1, step: 1, pool: WorkerPool(threads: 1))
        // u = (1 + 3, -1 + 4) = (4, 3), ‖w‖ = ‖u‖ = 5.
        #expect(abs(values[0] - 2.6) < 1e-5 && abs(values[1] - 3.7) < 1e-5)
    }
}

struct ClipTests {
    private func run(_ gradients: [Float]) -> ParameterRun {
        let floats = Floats(gradients)
        let tensors = [RunTensor(range: 0..<floats.count, rank: 1)]
        return ParameterRun(values: floats, gradients: floats, state: [], tensors: tensors)
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity])
    func `a non-finite gradient gives no norm and leaves the gradients`(_ bad: Float) {
        let run = run([3, bad, 4])
        #expect(Clip(limit: 1).apply(to: [run], pool: WorkerPool(threads: 1)) == nil)
        #expect(run.gradients[0] == 3 && run.gradients[2] == 4)
    }

    @Test func `the norm joins all runs and is that before clipping`() {
        let runs = [run([3]), run([4])]
        #expect(Clip(limit: 1, form: .lamb).apply(to: runs, pool: WorkerPool(threads: 1)) == 5)
        #expect(runs[0].gradients[0] == 3 * Float(0.2) && runs[1].gradients[0] == 4 * Float(0.2))
    }

    @Test func `gradients at the largest floats still have a norm`() {
        let huge = Float.greatestFiniteMagnitude
        let norm = Clip(limit: nil).apply(to: [run([huge, huge])], pool: WorkerPool(threads: 1))
        #expect(norm == (2 * Double(huge) * Double(huge)).squareRoot())
    }
}
