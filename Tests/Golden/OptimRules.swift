import Checkpoints
import Kernels
import Objectives
import Optimizers
import Recipes
import Testing
import Training

/// The settings of an optimizer fixture; which are present depends on the optimizer.
struct RuleSettings: Decodable, Sendable {
    let optimizer: String
    let betas: [Double]?
    let eps, weight_decay, momentum, dampening, trust_coefficient, trust_coeff, max_grad_norm: Double?
    let nesterov, bias_correction, grad_averaging, trust_clip, always_adapt: Bool?
    let lr_per_step: [Double]
    let weight_decay_per_step: [Double]?
    let param_order: [String]
    let groups: String

    /// The recipe that runs this optimizer; nil for an unknown one.
    var recipe: Recipe? {
        get throws {
            let kinds = [
                "AdamW": "adamw", "Adam": "adam", "SGD": "sgd", "LAMB": "lamb", "Lion": "lion", "LARS-A": "lars",
                "LARS-B": "lars",
            ]
            guard let kind = kinds[optimizer] else { return nil }
            let form: String? = kind == "lars" ? (optimizer == "LARS-A" ? "mae" : "timm") : nil
            let clip = max_grad_norm.map { "\n" + section("clip", ["max_norm": $0]) } ?? ""
            return try Golden.recipe(
                with: section(
                    "optimizer",
                    [
                        "kind": kind, "weight_decay": weight_decay ?? weight_decay_per_step?[0] ?? 0, "betas": betas,
                        "eps": eps, "momentum": momentum, "dampening": dampening, "nesterov": nesterov,
                        "bias_correction": bias_correction, "grad_averaging": grad_averaging, "trust_clip": trust_clip,
                        "always_adapt": always_adapt, "trust_coeff": trust_coefficient ?? trust_coeff, "form": form,
                    ]) + clip)
        }
    }

    func decay(at step: Int) -> Double { weight_decay_per_step?[step] ?? weight_decay ?? 0 }
    var excludesVectors: Bool { groups.contains("no_decay") }
}

struct OptimRules {
    static let files = optimFiles("optim", RuleSettings.self)

    @Test(arguments: files)
    func `every step and the final state follow the reference`(_ golden: OptimFile<RuleSettings>) throws {
        let settings = golden.settings
        let recipe = try #require(try settings.recipe, "unknown optimizer \(settings.optimizer)")
        let rule = try recipe.updateRule(Catalog.own.optimizers)
        // LAMB's own clip runs as the clip stage of the step.
        let clip = Clip(recipe, before: rule)
        let pool = WorkerPool(threads: 2)
        let names = settings.param_order
        let values = Floats(try golden.floats(names.map { "param/\($0)" }))
        let gradients = Floats(zeros: values.count)
        let state = rule.stateNames.map { _ in Floats(zeros: values.count) }
        var tensors: [RunTensor] = []
        for name in names {
            let tensor = try golden.file.tensor("param/\(name)")
            let start = tensors.last?.range.upperBound ?? 0
            tensors.append(RunTensor(range: start..<start + tensor.count, rank: tensor.shape.count))
        }
        let groups = [true, false].map { decays in
            (decays, tensors.filter { (!settings.excludesVectors || $0.rank > 1) == decays })
        }
        let runs = groups.map {
            ($0.0, ParameterRun(values: values, gradients: gradients, state: state, tensors: $0.1))
        }
        for step in settings.lr_per_step.indices {
            gradients.copy(from: try golden.floats(names.map { "input/grad/\(step)/\($0)" }))
            let norm = try #require(clip.apply(to: runs.map(\.1), pool: pool))
            if golden.file.names.contains("output/global_grad_norm/\(step)") {
                let reference = try golden.floats("output/global_grad_norm/\(step)")
                expectClose([Float(norm)], reference, "norm of step \(step)")
            }
            for (decays, run) in runs {
                let decay = decays ? settings.decay(at: step) : 0
                rule.update(
                    run, learningRate: settings.lr_per_step[step], weightDecay: decay, step: step + 1, pool: pool)
            }
            let reference = try golden.floats(names.map { "after/\(step + 1)/\($0)" })
            expectClose(values.array, reference, "values after step \(step + 1)")
        }
        for (buffer, stateName) in zip(state, rule.stateNames) {
            let reference = try golden.floats(names.map { "output/state/\($0)/\(stateName)" })
            expectClose(buffer.array, reference, stateName)
        }
    }
}
