import Evaluation
import Foundation
import Kernels
import Optimizers
import Testing
import Training

@Suite struct LinearHeadsTests {
    // A pool serves one caller at a time.
    private let pool = WorkerPool(threads: 2)

    /// Six samples of two channels in three classes, the second feature column left unread.
    private let x = Floats([1, 9, 0.5, -1, 9, 0.2, 0.3, 9, -1, 0.8, 9, 0.1, -0.7, 9, 0.9, 0.2, 9, -0.6])
    private let labels = Indices([0, 1, 2, 0, 1, 2])

    private func heads(_ rates: [Double]) -> LinearHeads {
        LinearHeads(
            2..<3, classes: 3, settings: rates, start: .normal(std: 0.5), seed: 4, pool: pool)
    }

    /// The rule that `Trainer` uses, with a gradient that is written out.
    private func plain(_ rule: HeadRule, rate: Double, factors: [Double]) -> [Float] {
        let start = heads([1]).weight(ofHead: 0).array
        let (values, gradients) = (Floats(start + [0, 0, 0]), Floats(zeros: 6))
        let run = ParameterRun(
            values: values, gradients: gradients, state: [Floats(zeros: 6)],
            tensors: [RunTensor(range: 0..<3, rank: 2), RunTensor(range: 3..<6, rank: 1)])
        let update: any UpdateRule =
            rule == .lars ? LARS(.init(form: .mae)) : SGD(.init(momentum: 0.9))
        for (step, factor) in factors.enumerated() {
            gradients.fill(0)
            for row in 0..<6 {
                let feature = x[3 * row + 2]
                let z = (0..<3).map { exp(Double(values[$0] * feature + values[3 + $0])) }
                for k in 0..<3 {
                    let slope = Float(z[k] / z.reduce(0, +) - (Int(labels[row]) == k ? 1 : 0)) / 6
                    gradients[k] += slope * feature
                    gradients[3 + k] += slope
                }
            }
            update.update(run, learningRate: rate * factor, weightDecay: 0, step: step + 1, pool: pool)
        }
        return values[0..<3].array
    }

    @Test(arguments: [HeadRule.sgd, .lars]) func `heads side by side learn as each would alone`(_ rule: HeadRule) {
        let (rates, factors) = ([0.05, 2.0, 0.4], [0.1, 1.0, 0.7, 0.3])
        let together = heads(rates)
        for (step, factor) in factors.enumerated() {
            together.learn(x, labels: labels, rule: rule, factor: factor, step: step + 1)
        }
        for (head, rate) in rates.enumerated() {
            for (found, expected) in zip(together.weight(ofHead: head).array, plain(rule, rate: rate, factors: factors))
            {
                #expect(abs(found - expected) < 2e-6, "rate \(rate): \(found), alone \(expected)")
            }
        }
    }

    @Test func `a long narrow valley is walked to its end`() {
        // f(x) = Σ c_i (x_i - i)², curvatures 1 to 1e6.
        let curvatures = [1.0, 1e2, 1e4, 1e6]
        var search = LBFGS(from: [9, 9, 9, 9])
        var asked = 0
        while !search.isDone, asked < 200 {
            let point = search.point
            var (value, gradient) = (0.0, [Double]())
            for index in 0..<4 {
                let distance = point[index] - Double(index)
                value += curvatures[index] * distance * distance
                gradient.append(2 * curvatures[index] * distance)
            }
            search.learn(value: value, gradient: gradient)
            asked += 1
        }
        #expect(asked < 100)
        for index in 0..<4 { #expect(abs(search.point[index] - Double(index)) < 1e-3) }
    }

    /// A = L·Lᵀ with L = [[2, 0, 0], [1, 3, 0], [-1, 2, 1]].
    @Test func `the Cholesky factor of a small matrix is inverted`() {
        let inverse = inverseCholesky([4, 2, -2, 2, 10, 5, -2, 5, 6], size: 3)
        let expected = [0.5, 0, 0, -1.0 / 6, 1.0 / 3, 0, 5.0 / 6, -2.0 / 3, 1]
        for (found, wanted) in zip(inverse, expected) { #expect(abs(found - wanted) < 1e-12) }
    }
}
