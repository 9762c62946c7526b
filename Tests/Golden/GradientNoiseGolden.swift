import Checkpoints
import Kernels
import Optimizers
import Testing
import Training

struct PhiloxSettings: Decodable, Sendable { let rounds: Int }
struct VarianceSettings: Decodable, Sendable { let formula: String }
struct NoiseSettings: Decodable, Sendable {
    let seeds: [String]
    let steps: [Int]
    let names: [String: [Int]]
    let index_order: [String]
    let eta_for_noise, gamma: Double
}
struct ParallelSettings: Decodable, Sendable {
    let ranks: Int
    let seed: UInt64
    let eta, gamma, clip, lr, momentum: Double
    let index_order: [String]
}

struct GradientNoiseGolden {
    static let words = optimFiles("gradient-noise", PhiloxSettings.self)
    static let variances = optimFiles("gradient-noise", VarianceSettings.self)
    static let noises = optimFiles("gradient-noise", NoiseSettings.self)
    static let parallel = optimFiles("gradient-noise", ParallelSettings.self)

    @Test(arguments: words)
    func `the generator's words are exact`(_ golden: OptimFile<PhiloxSettings>) throws {
        func lanes(_ key: String) throws -> [UInt32] { try golden.integers(key).map { UInt32($0) } }
        let (counters, keys) = (try lanes("input/counter"), try lanes("input/key"))
        let reference = try lanes("output/words")
        for row in 0..<keys.count / 2 {
            let counter = SIMD4(counters[4 * row..<4 * row + 4])
            let words = Philox.words(counter: counter, key: SIMD2(keys[2 * row..<2 * row + 2]))
            #expect((0..<4).map { words[$0] } == Array(reference[4 * row..<4 * row + 4]), "row \(row)")
        }
    }

    @Test(arguments: variances)
    func `the deviation falls with the root of the variance`(_ golden: OptimFile<VarianceSettings>) throws {
        let steps = try golden.integers("input/t")
        let etas = try golden.floats("input/eta"), gammas = try golden.floats("input/gamma")
        let reference = try golden.floats("output/std")
        for (g, gamma) in gammas.enumerated() {
            for (e, eta) in etas.enumerated() {
                let noise = GradientNoise(.absolute(variance: Double(eta)), exponent: Double(gamma), seed: 0)
                for (t, step) in steps.enumerated() {
                    let row = (g * etas.count + e) * steps.count + t
                    let ours = noise.std(at: step, norm: 0, count: 1)
                    expectRelative(ours, Double(reference[row]), 1e-6, "η \(eta), γ \(gamma), t \(step)")
                }
            }
        }
    }

    @Test(arguments: noises)
    func `words are exact and normals follow the reference for every key`(_ golden: OptimFile<NoiseSettings>) throws {
        let settings = golden.settings
        let order = GradientNoise.order(of: Array(settings.names.keys))
        #expect(settings.index_order.enumerated().allSatisfy { order[$1] == UInt32($0) })
        let pool = WorkerPool(threads: 1)
        for (index, text) in settings.seeds.enumerated() {
            let seed = try #require(UInt64(text))
            let noise = GradientNoise(.absolute(variance: settings.eta_for_noise), exponent: settings.gamma, seed: seed)
            for step in settings.steps {
                for name in settings.index_order {
                    let parameter = try #require(order[name])
                    func reference(_ kind: String) -> StoredTensor? {
                        try? golden.file.tensor("output/\(index)/\(step)/\(kind)/\(name)")
                    }
                    if let normals = reference("normal")?.floats {
                        let ours = Floats(zeros: normals.count)
                        noise.add(to: ours, parameter: parameter, step: step, std: 1, pool: pool)
                        let worst = zip(ours.array, normals).map { abs($0 - $1) }.max() ?? 0
                        #expect(worst <= 1e-6, "\(name), step \(step), seed \(text)")
                    }
                    if let words = reference("words")?.integers {
                        let ours = (0..<words.count / 4).flatMap { block in
                            let words = noise.words(block: block, parameter: parameter, step: UInt32(step))
                            return (0..<4).map { Int(words[$0]) }
                        }
                        #expect(ours == words, "\(name), step \(step), seed \(text)")
                    }
                    if let scaled = reference("noise")?.floats {
                        let ours = Floats(zeros: scaled.count)
                        let std = noise.std(at: step, norm: 0, count: 1)
                        noise.add(to: ours, parameter: parameter, step: step, std: std, pool: pool)
                        let worst = zip(ours.array, scaled).map { abs($0 - $1) }.max() ?? 0
                        #expect(worst <= 1e-6, "\(name), step \(step), seed \(text)")
                    }
                }
            }
        }
    }

    @Test(arguments: parallel, [1, 2, 4])
    func `mean, clip, noise and descent do not depend on the number of ranks`(
        _ golden: OptimFile<ParallelSettings>, _ ranks: Int
    ) throws {
        let settings = golden.settings
        let names = settings.index_order
        let pool = WorkerPool(threads: 1)
        let values = Floats(try golden.floats(names.map { "param/\($0)" }))
        let gradients = Floats(zeros: values.count)
        var tensors: [RunTensor] = []
        for name in names {
            let start = tensors.last?.range.upperBound ?? 0
            tensors.append(RunTensor(range: start..<start + (try golden.floats("param/\(name)").count), rank: 1))
        }
        let rule = try updateRule(["kind": "sgd", "momentum": settings.momentum])
        let run = ParameterRun(
            values: values, gradients: gradients, state: rule.stateNames.map { _ in Floats(zeros: values.count) },
            tensors: tensors)
        let noise = GradientNoise(
            .absolute(variance: settings.eta), exponent: settings.gamma, seed: settings.seed)
        let steps = golden.parts(after: "output/").filter { $0.hasSuffix("/norm") }.count
        for step in 0..<steps {
            for (name, tensor) in zip(names, tensors) {
                let local = try golden.floats("input/local_grad/\(step)/\(name)")
                let mean = mean(local, shards: settings.ranks, ranks: ranks)
                gradients[tensor.range].copy(from: mean)
            }
            let norm = try #require(Clip(limit: settings.clip).apply(to: [run], pool: pool))
            expectClose([Float(norm)], try golden.floats("output/\(step)/norm"), "norm")
            let std = noise.std(at: step, norm: norm, count: values.count)
            for (index, tensor) in tensors.enumerated() {
                noise.add(
                    to: gradients[tensor.range], parameter: UInt32(index), step: step, std: std, pool: pool)
            }
            let final = try golden.floats(names.map { "output/\(step)/final_grad/\($0)" })
            #expect(zip(gradients.array, final).allSatisfy { abs($0 - $1) <= 1e-6 }, "gradient of step \(step)")
            rule.update(run, learningRate: settings.lr, weightDecay: 0, step: step + 1, pool: pool)
            let after = try golden.floats(names.map { "after/\(step + 1)/\($0)" })
            #expect(zip(values.array, after).allSatisfy { abs($0 - $1) <= 1e-6 }, "values after step \(step + 1)")
        }
    }

    /// The mean of `shards` gradients when `ranks` processes each sum their part first, in Float.
    private func mean(_ local: [Float], shards: Int, ranks: Int) -> [Float] {
        let count = local.count / shards
        return (0..<count).map { element in
            let parts = (0..<ranks).map { rank in
                (rank * shards / ranks..<(rank + 1) * shards / ranks).reduce(Float(0)) {
                    $0 + local[$1 * count + element]
                }
            }
            return parts.reduce(0, +) / Float(shards)
        }
    }
}
