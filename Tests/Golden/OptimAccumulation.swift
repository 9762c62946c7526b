import Checkpoints
import Glibc
import Kernels
import Optimizers
import Testing
import Training

struct AccumulationSettings: Decodable, Sendable {
    let batch, micro_batch, micro_batches: Int
    let clip: Double
}

/// Softmax regression in Double: what a trainer's backward pass would hand to accumulation.
private struct Regression {
    let x: [Float], labels: [Int], weight: [Float], bias: [Float]
    var inputs: Int { weight.count / bias.count }

    /// Summed loss and gradient [weight, bias] of a range of samples.
    func sums(_ samples: Range<Int>) -> (loss: Double, gradient: [Double]) {
        var (loss, gradient) = (0.0, [Double](repeating: 0, count: weight.count + bias.count))
        for sample in samples {
            let row = x[sample * inputs..<(sample + 1) * inputs].map(Double.init)
            let logits = bias.indices.map { label in
                zip(row, weight[label * inputs..<(label + 1) * inputs]).reduce(Double(bias[label])) {
                    $0 + $1.0 * Double($1.1)
                }
            }
            let total = logits.reduce(0) { $0 + exp($1) }
            loss += log(total) - logits[labels[sample]]
            for label in bias.indices {
                let error = exp(logits[label]) / total - (label == labels[sample] ? 1 : 0)
                for input in 0..<inputs { gradient[label * inputs + input] += error * row[input] }
                gradient[weight.count + label] += error
            }
        }
        return (loss, gradient)
    }
}

struct OptimAccumulation {
    static let files = optimFiles("optim", AccumulationSettings.self)

    private func regression(_ golden: OptimFile<AccumulationSettings>) throws -> Regression {
        Regression(
            x: try golden.floats("input/x"), labels: try golden.integers("input/label"),
            weight: try golden.floats("param/weight"), bias: try golden.floats("param/bias"))
    }

    private func microBatches(_ settings: AccumulationSettings) -> [Range<Int>] {
        (0..<settings.micro_batches).map {
            $0 * settings.micro_batch..<min(settings.batch, ($0 + 1) * settings.micro_batch)
        }
    }

    private func reference(_ golden: OptimFile<AccumulationSettings>, _ form: String) throws -> [Float] {
        try golden.floats(["output/\(form)/grad/weight", "output/\(form)/grad/bias"])
    }

    private func run(_ gradients: Floats) -> ParameterRun {
        let tensors = [RunTensor(range: 0..<gradients.count, rank: 1)]
        return ParameterRun(values: gradients, gradients: gradients, state: [], tensors: tensors)
    }

    @Test(arguments: files)
    func `sums over their summed weight are the mean of the whole batch`(
        _ golden: OptimFile<AccumulationSettings>
    ) throws {
        let model = try regression(golden)
        var (loss, gradient, samples) = (0.0, [Double](), 0)
        for batch in microBatches(golden.settings) {
            let part = model.sums(batch)
            loss += part.loss
            gradient = gradient.isEmpty ? part.gradient : zip(gradient, part.gradient).map(+)
            samples += batch.count
        }
        expectClose(gradient.map { Float($0 / Double(samples)) }, try reference(golden, "full"), "exact weighting")
        expectClose([Float(loss / Double(samples))], try golden.floats("output/full/loss"), "loss")
    }

    @Test(arguments: files)
    func `equal weighting is the mean of the micro-batch means`(_ golden: OptimFile<AccumulationSettings>) throws {
        let model = try regression(golden)
        let share = 1 / Double(golden.settings.micro_batches)
        var gradient: [Double] = []
        for (index, batch) in microBatches(golden.settings).enumerated() {
            let part = model.sums(batch).gradient.map { $0 / Double(batch.count) * share }
            gradient = gradient.isEmpty ? part : zip(gradient, part).map(+)
            let partial = "output/equal_weight/partial/\(index)/grad/weight"
            let floats = gradient.prefix(model.weight.count).map { Float($0) }
            expectClose(floats, try golden.floats(partial), "after micro-batch \(index)")
        }
        expectClose(gradient.map { Float($0) }, try reference(golden, "equal_weight"), "equal weighting")
    }

    @Test(arguments: files, [true, false])
    func `clipping once and clipping after every micro-batch are told apart`(
        _ golden: OptimFile<AccumulationSettings>, _ everyMicroBatch: Bool
    ) throws {
        let model = try regression(golden)
        let pool = WorkerPool(threads: 1)
        let clip = Clip(limit: golden.settings.clip)
        let gradients = Floats(zeros: model.weight.count + model.bias.count)
        for batch in microBatches(golden.settings) {
            let share = 1 / (Double(batch.count) * Double(golden.settings.micro_batches))
            let part = model.sums(batch).gradient
            for index in part.indices { gradients[index] += Float(part[index] * share) }
            if everyMicroBatch { _ = clip.apply(to: [run(gradients)], pool: pool) }
        }
        if !everyMicroBatch { _ = clip.apply(to: [run(gradients)], pool: pool) }
        let form = everyMicroBatch ? "clip_every_micro" : "clip_once"
        expectClose(gradients.array, try reference(golden, form), form)
    }
}
