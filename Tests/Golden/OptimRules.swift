import Checkpoints
import Kernels
import Optimizers
import Testing
import Training

/// The settings of an optimiser fixture; which are present depends on the optimiser.
struct RuleSettings: Decodable, Sendable {
    let optimizer: String
    let betas: [Double]?
    let eps, weight_decay, momentum, dampening, trust_coefficient, trust_coeff, max_grad_norm: Double?
    let nesterov, bias_correction, grad_averaging, trust_clip, always_adapt: Bool?
    let lr_per_step: [Double]
    let weight_decay_per_step: [Double]?
    let param_order: [String]
    let groups: String

    var rule: (any UpdateRule)? {
        let (first, second) = (betas?.first ?? 0.9, betas?.last ?? 0.999)
        switch optimizer {
        case "AdamW": return AdamW(first: first, second: second, epsilon: eps ?? 1e-8)
        case "Adam": return Adam(first: first, second: second, epsilon: eps ?? 1e-8)
        case "SGD":
            return SGD(momentum: momentum ?? 0, dampening: dampening ?? 0, nesterov: nesterov ?? false)
        case "LAMB":
            return LAMB(
                first: first, second: second, epsilon: eps ?? 1e-6, correctsBias: bias_correction ?? true,
                averagesGradients: grad_averaging ?? true, clipsTrust: trust_clip ?? false,
                alwaysAdapts: always_adapt ?? false)
        case "Lion": return Lion(first: first, second: betas?.last ?? 0.99)
        case "LARS-A": return ProbeLARS(momentum: momentum ?? 0.9, trust: trust_coefficient ?? 0.001)
        case "LARS-B":
            return LARS(
                momentum: momentum ?? 0.9, dampening: dampening ?? 0, nesterov: nesterov ?? false,
                trust: trust_coeff ?? 0.001, epsilon: eps ?? 1e-8, clipsTrust: trust_clip ?? false,
                alwaysAdapts: always_adapt ?? false)
        default: return nil
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
        let rule = try #require(settings.rule, "unknown optimiser \(settings.optimizer)")
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
            // LAMB's own clip runs as the clip stage of the step.
            let clip = Clip(limit: settings.max_grad_norm, form: .lamb)
            let norm = try #require(clip.apply(to: runs.map(\.1), pool: pool))
            if golden.file.names.contains("output/global_grad_norm/\(step)") {
                let reference = try golden.floats("output/global_grad_norm/\(step)")
                expectClose([Float(norm)], reference, "norm of step \(step)")
            }
            for (decays, run) in runs {
                let decay = decays ? settings.decay(at: step) : 0
                rule.update(run, rate: settings.lr_per_step[step], decay: decay, step: step + 1, pool: pool)
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
