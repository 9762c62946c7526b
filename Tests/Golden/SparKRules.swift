import Autodiff
import Kernels
import Models
import Objectives
import Optimizers
import Recipes
import Testing
import Training

/// Optimiser steps with given gradients, schedules, layers and decay of SparK's two phases.
@Suite struct SparKRules {
    struct Steps: Decodable, Sendable {
        struct Arguments: Decodable, Sendable {
            let betas: [Double]
            let eps, max_grad_norm: Double?
            let always_adapt, bias_correction: Bool?
        }
        let optimizer: String
        let kwargs: Arguments
        let peak_lr, wd, wd_end, ema_decay: Double
        let warmup_it: Double
        let max_it, steps: Int
        let group_names: [[String]]
        let lr_scale: [Double]

        var recipe: Recipe {
            get throws {
                let curve = Curve(peak_lr: peak_lr, wd: wd, wd_end: wd_end, warmup_it: warmup_it, max_it: max_it)
                let clip = kwargs.max_grad_norm.map { "\n" + section("clip", ["max_norm": $0]) } ?? ""
                // The references' own standards where a fixture leaves them out.
                let eps = kwargs.eps ?? (optimizer == "lamb" ? 1e-6 : 1e-8)
                let rule = curve.weightDecay(
                    optimizer, kwargs.betas, eps, alwaysAdapt: kwargs.always_adapt,
                    biasCorrection: kwargs.bias_correction)
                return try Golden.recipe(with: curve.schedule + "\n" + rule + clip)
            }
        }
    }
    struct Curve: Decodable, Sendable {
        let peak_lr, wd, wd_end, warmup_it: Double
        let max_it: Int

        /// The reference rounds the warm-up to whole updates, half to even.
        var schedule: String {
            section(
                "schedule",
                [
                    "kind": "cosine", "form": "spark", "base_lr": peak_lr, "updates": max_it,
                    "warmup_updates": Int(warmup_it.rounded(.toNearestOrEven)), "warmup_lr": 0.005 * peak_lr,
                    "min_lr": 0.001 * peak_lr,
                ])
        }

        func weightDecay(
            _ kind: String, _ betas: [Double], _ eps: Double, alwaysAdapt: Bool? = nil, biasCorrection: Bool? = nil
        ) -> String {
            section(
                "optimizer",
                [
                    "kind": kind, "betas": betas, "eps": eps, "weight_decay": wd, "weight_decay_end": wd_end,
                    "always_adapt": alwaysAdapt, "bias_correction": biasCorrection,
                ])
        }
    }
    struct Layers: Decodable, Sendable {
        let names: [String]
    }

    static let steps = SparKFile<Steps>.files()
    static let curves = SparKFile<[String: Curve]>.files()
    static let layers = SparKFile<[String: Layers]>.files()
    private let pool = WorkerPool(threads: 1)

    @Test(arguments: steps) func `an update rule follows the reference`(_ golden: SparKFile<Steps>) throws {
        let config = golden.config
        let names = config.group_names.flatMap { $0 }
        let shapes = try names.map { try golden.file.tensor("param/\($0)").shape }
        var ranges: [String: Range<Int>] = [:]
        var end = 0
        for (name, shape) in zip(names, shapes) {
            ranges[name] = end..<end + shape.reduce(1, *)
            end += shape.reduce(1, *)
        }
        let (values, gradients) = (Floats(zeros: end), Floats(zeros: end))
        let moments = [Floats(zeros: end), Floats(zeros: end)]
        for name in names { values[try #require(ranges[name])].copy(from: try golden.floats("param/\(name)")) }
        let average = WeightEMA(copying: values)
        let runs = try config.group_names.map { group in
            ParameterRun(
                values: values, gradients: gradients, state: moments,
                tensors: try group.map { name in
                    RunTensor(
                        range: try #require(ranges[name]), rank: try golden.file.tensor("param/\(name)").shape.count)
                })
        }
        let recipe = try config.recipe
        let rule = try recipe.updateRule(Catalog.own.optimizers)
        let clip = Clip(recipe, before: rule)
        let clock = EpochClock(updates: 3)
        let schedule = try recipe.learningRates(clock, Catalog.own.schedules)
        let decays = WeightDecaySchedule(recipe, clock)
        func compare(_ prefix: String, _ floats: Floats) throws {
            for name in names {
                let ours = floats[try #require(ranges[name])].array
                expectWithin(2e-6, ours, try golden.floats("\(prefix)/\(name)"), "\(prefix)/\(name)")
            }
        }
        for step in 0..<config.steps {
            for name in names {
                let gradient = try golden.floats("input/grad_step\(step)/\(name)")
                gradients[try #require(ranges[name])].copy(from: gradient)
            }
            _ = clip.apply(to: runs, pool: pool)
            for (index, run) in runs.enumerated() {
                let rate = schedule.learningRate(at: step, scale: config.lr_scale[index])
                // The first group is the one without decay.
                let decay = index == 0 ? 0 : decays.value(at: step)
                let place = step * runs.count + index
                expectWithin(1e-6, [Float(rate)], [try golden.floats("trace/lr")[place]], "rate of step \(step)")
                expectWithin(
                    1e-6, [Float(decay)], [try golden.floats("trace/weight_decay")[place]], "decay of step \(step)")
                rule.update(run, learningRate: rate, weightDecay: decay, step: step + 1, pool: pool)
            }
            average.blend(values, keep: config.ema_decay, pool: pool)
            if step == 0 { try compare("after1", values) }
        }
        try compare("after\(config.steps)", values)
        try compare("after_ema", average.values)
        try compare("state/exp_avg", moments[0])
        try compare("state/exp_avg_sq", moments[1])
    }

    @Test(arguments: curves) func `rates and decay follow the reference`(_ golden: SparKFile<[String: Curve]>) throws {
        let clock = EpochClock(updates: 3)
        for (name, curve) in golden.config {
            let recipe = try recipe(with: curve.schedule + "\n" + curve.weightDecay("adamw", [0.9, 0.999], 1e-8))
            let schedule = try recipe.learningRates(clock, Catalog.own.schedules)
            let decay = WeightDecaySchedule(recipe, clock)
            let (rates, decays) = (
                try golden.file.tensor("output/\(name)/lr").doubles, try golden.file.tensor("output/\(name)/wd").doubles
            )
            for step in rates.indices {
                let rate = schedule.learningRate(at: step)
                #expect(abs(rate - rates[step]) <= 1e-12 * curve.peak_lr, "\(name): rate \(step)")
                #expect(abs(decay.value(at: step) - decays[step]) <= 1e-12, "\(name): decay \(step)")
            }
        }
    }

    @Test(arguments: layers) func `layers and decay of published nets follow the reference`(
        _ golden: SparKFile<[String: Layers]>
    ) throws {
        for (model, expected) in golden.config {
            let settings: any EncoderSettings =
                if let size = ResNet.Size(rawValue: model) {
                    ResNet.Settings(size)
                } else {
                    ConvNeXt.Settings(try #require(ConvNeXt.Size(rawValue: String(model.dropFirst(9)))))
                }
            let graph = Graph()
            let classifier = try Classification(
                .init(labelSmoothing: 0), settings, graph.scope,
                InputSpec(image: ImageSpec(side: 224), classes: 1000))
            #expect(Set(graph.parameters.map(\.name)) == Set(expected.names), "\(model)")
            let ranks = Dictionary(uniqueKeysWithValues: graph.parameters.map { ($0.name, $0.shape.rank) })
            let layers = try #require(classifier.layers)
            let ids = try golden.file.tensor("output/\(model)/layer_id").integers
            let exponents = try golden.file.tensor("output/\(model)/scale_exp").integers
            let decayed = try golden.file.tensor("output/\(model)/decayed").integers
            for (index, name) in expected.names.enumerated() {
                #expect(layers.layer(of: name) == ids[index], "\(model): \(name)")
                #expect(layers.last - layers.layer(of: name) == exponents[index], "\(model): \(name)")
                #expect(
                    classifier.decay.decays(name, rank: try #require(ranks[name])) == (decayed[index] == 1),
                    "\(model): \(name)")
            }
        }
    }
}
