import Checkpoints
import Kernels
import Objectives
import Optimizers
import Recipes
import Testing
import Training

struct ClipSettings: Decodable, Sendable { let max_norms: [Double] }
struct AverageSettings: Decodable, Sendable {
    let decay: Double
    let updates: Int
}
struct MasterSettings: Decodable, Sendable {
    let lr, eps, weight_decay: Double
    let betas: [Double]
    let steps: Int
}
struct RoundingSettings: Decodable, Sendable { let rounding: String }
struct RampSettings: Decodable, Sendable {
    let ema_alpha: Double
    let ema_step: Int
}

/// The stages of a step beside the rules: clip, averages, bfloat16.
struct OptimSteps {
    static let clips = optimFiles("optim", ClipSettings.self)
    static let averages = optimFiles("optim", AverageSettings.self) { !$0.parts(after: "input/model/0/").isEmpty }
    static let masters = optimFiles("optim", MasterSettings.self) { $0.file.names.contains("param/master") }
    static let roundings = optimFiles("optim", RoundingSettings.self)
    static let ramps = optimFiles("elr", RampSettings.self) { $0.file.names.contains("output/ema_alpha_ramp") }

    @Test(arguments: clips)
    func `norm, both factors and the clipped gradients follow the reference`(_ golden: OptimFile<ClipSettings>) throws {
        let pool = WorkerPool(threads: 1)
        let names = golden.parts(after: "input/grad/")
        let start = try golden.floats(names.map { "input/grad/\($0)" })
        let gradients = Floats(start)
        var tensors: [RunTensor] = []
        for name in names {
            let begin = tensors.last?.range.upperBound ?? 0
            let count = try golden.floats("input/grad/\(name)").count
            tensors.append(RunTensor(range: begin..<begin + count, rank: 1))
        }
        let run = ParameterRun(values: gradients, gradients: gradients, state: [], tensors: tensors)
        for (index, limit) in golden.settings.max_norms.enumerated() {
            gradients.copy(from: start)
            func clip(before kind: String) throws -> Clip {
                let rule = section(
                    "optimizer", ["kind": kind, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0])
                let recipe = try recipe(with: section("clip", ["max_norm": limit]) + "\n" + rule)
                return Clip(recipe, before: try recipe.updateRule(Catalog.own.optimizers))
            }
            let norm = try #require(try clip(before: "adamw").apply(to: [run], pool: pool))
            let (torch, lamb) = try (
                clip(before: "adamw").factor(norm: norm), clip(before: "lamb").factor(norm: norm)
            )
            expectClose([Float(norm)], try golden.floats("output/\(index)/norm"), "norm")
            expectClose([Float(torch)], try golden.floats("output/\(index)/coef"), "torch factor")
            expectClose([Float(lamb)], try golden.floats("output/\(index)/coef_lamb"), "LAMB factor")
            let reference = try golden.floats(names.map { "output/\(index)/grad/\($0)" })
            expectClose(gradients.array, reference, "gradients under \(limit)")
        }
    }

    @Test(arguments: averages)
    func `the average follows parameters, statistics and counters`(_ golden: OptimFile<AverageSettings>) throws {
        let pool = WorkerPool(threads: 1)
        let all = golden.parts(after: "param/")
        let counters = try all.filter { try golden.file.tensor("param/\($0)").kind == .i64 }
        let names = all.filter { !counters.contains($0) }
        let start = try golden.floats(names.map { "param/\($0)" })
        // Half as parameters, half as statistics: both go the same way.
        let cut = start.count / 2
        func counts(_ prefix: String) throws -> [Floats] {
            try counters.flatMap { try golden.integers(prefix + $0) }.map { Floats([Float($0)]) }
        }
        let average = WeightEMA(
            copying: Floats(Array(start[..<cut])), statistics: [Floats(Array(start[cut...]))],
            counters: try counts("param/"))
        for update in 0..<golden.settings.updates {
            let model = try golden.floats(names.map { "input/model/\(update)/\($0)" })
            let latest = try counts("input/model/\(update)/")
            average.blend(Floats(Array(model[..<cut])), keep: golden.settings.decay, pool: pool)
            average.blend(
                statistics: [Floats(Array(model[cut...]))], counters: latest, keep: golden.settings.decay, pool: pool)
            let reference = try golden.floats(names.map { "after/\(update + 1)/\($0)" })
            expectClose(average.values.array + average.statistics[0].array, reference, "average \(update + 1)")
            #expect(average.counters.map(\.array) == (try counts("after/\(update + 1)/")).map(\.array))
        }
    }

    @Test(arguments: roundings)
    func `bfloat16 bits are exact`(_ golden: OptimFile<RoundingSettings>) throws {
        let pool = WorkerPool(threads: 1)
        let input = Floats(try golden.integers("input/f32_bits").map { Float(bitPattern: UInt32($0)) })
        let halves = Buffer<UInt16>(zeros: input.count), back = Floats(zeros: input.count)
        pool.roundToHalf(input, into: halves)
        pool.widen(halves, into: back)
        let reference = try golden.integers("output/bf16_bits")
        for index in 0..<input.count {
            if input[index].isNaN {
                #expect(back[index].isNaN)
            } else {
                #expect(Int(halves[index]) == reference[index], "value \(input[index])")
            }
        }
    }

    @Test(arguments: masters)
    func `master weights keep what the bfloat16 copy rounds away`(_ golden: OptimFile<MasterSettings>) throws {
        let settings = golden.settings
        let pool = WorkerPool(threads: 1)
        let values = Floats(try golden.floats("param/master"))
        let gradients = Floats(zeros: values.count), copy = Floats(zeros: values.count)
        let halves = Buffer<UInt16>(zeros: values.count)
        let run = ParameterRun(
            values: values, gradients: gradients, state: [Floats(zeros: values.count), Floats(zeros: values.count)],
            tensors: [RunTensor(range: 0..<values.count, rank: 1)])
        let rule = try updateRule(["kind": "adamw", "betas": settings.betas, "eps": settings.eps])
        for step in 0..<settings.steps {
            gradients.copy(from: try golden.floats("input/grad_bf16/\(step)"))
            rule.update(
                run, learningRate: settings.lr, weightDecay: settings.weight_decay, step: step + 1, pool: pool)
            guard golden.file.names.contains("after/\(step + 1)/master") else { continue }
            expectClose(values.array, try golden.floats("after/\(step + 1)/master"), "master \(step + 1)")
            pool.roundToHalf(values, into: halves)
            pool.widen(halves, into: copy)
            // A master within rounding of a tie may fall to the neighbour: one unit of bfloat16, 2^-7 relative.
            for (ours, theirs) in zip(copy.array, try golden.floats("after/\(step + 1)/bf16_copy_as_f32")) {
                #expect(abs(ours - theirs) <= abs(theirs) * 0x1p-7)
            }
        }
    }

    @Test(arguments: ramps)
    func `averages of early-learning regularisation follow their ramps`(_ golden: OptimFile<RampSettings>) throws {
        let (alpha, length) = (golden.settings.ema_alpha, golden.settings.ema_step)
        // The bound of the form without a ramp is not among the settings: its last value.
        let bound = Double(try golden.floats("output/ema_alpha_min").max() ?? 1)
        for (index, step) in try golden.integers("input/step").enumerated() {
            let ramped = Double(try golden.floats("output/ema_alpha_ramp")[index])
            let warm = Double(try golden.floats("output/ema_alpha_min")[index])
            expectRelative(EMADecay.ramp(alpha, updates: length).value(at: step), ramped, 1e-6, "ramp \(step)")
            expectRelative(EMADecay.warm(bound).value(at: step), warm, 1e-6, "warm \(step)")
        }
    }
}
