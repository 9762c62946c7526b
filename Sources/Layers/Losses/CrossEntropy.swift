public import Autodiff
import Glibc
public import Kernels

/// Soft-target cross entropy, summed over the batch: Σ_b Σ_k −t_k · log softmax(z)_k.
/// z: (B, K) logits; t: (B, K) target probabilities; out: (1). Smoothing ε replaces t by (1 − ε)·t + ε/K·Σt, which for
/// a one-hot t is (1 − ε)·nll + ε·mean(−log p). Keeps inputs and saves the probabilities.
public struct CrossEntropy: Operation {
    private let smoothing: Float

    /// - Parameter smoothing: ε, 0..<1.
    public init(smoothing: Double = 0) { self.smoothing = Float(smoothing) }

    public func callAsFunction(_ logits: Tensor, _ targets: Tensor) -> Tensor { logits.apply(self, targets) }

    public var keeps: Kept { .input(1) }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].rank == 2, shapes[0] == shapes[1] else {
            throw ShapeError("targets \(shapes[1]) for logits \(shapes[0])")
        }
        return [1]
    }

    public func extra(for shapes: [Shape]) -> Extra { Extra(saved: shapes[0].count, scratch: 2 * shapes[0].rows) }

    public func forward(_ at: Workspace) {
        let (B, K) = (at.shapes[0][0], at.shapes[0][1])
        let losses = at.scratch[0..<2 * B].viewed(as: Double.self)
        at.pool.split(B, grain: 4, (at.inputs[0], at.inputs[1], at.saved, losses, K, smoothing)) { arguments, rows in
            let (logits, targets, probabilities, losses, K, smoothing) = arguments
            for row in rows {
                let range = row * K..<(row + 1) * K
                losses[row] = Self.loss(
                    logits[range], targets[range], into: probabilities[range], smoothing: Double(smoothing))
            }
        }
        // One sum over rows in their order, in Double.
        var sum = 0.0
        for row in 0..<B { sum += losses[row] }
        at.output[0] = Float(sum)
    }

    public func backward(_ at: Workspace) {
        guard let dz = at.inputGradients[0] else { return }
        let (B, K) = (at.shapes[0][0], at.shapes[0][1])
        let factor = at.outputGradient[0]
        at.pool.split(B, grain: 4, (at.saved, at.inputs[1], dz, K, smoothing, factor, at.adds[0])) { arguments, rows in
            let (probabilities, targets, dz, K, smoothing, factor, adds) = arguments
            for row in rows {
                let range = row * K..<(row + 1) * K
                let (p, t, gradient) = (probabilities[range], targets[range], dz[range])
                var total: Float = 0
                for k in 0..<K { total += t[k] }
                for k in 0..<K {
                    let target = (1 - smoothing) * t[k] + smoothing / Float(K) * total
                    let slope = factor * (total * p[k] - target)
                    gradient[k] = adds ? gradient[k] + slope : slope
                }
            }
        }
    }

    private static func loss(_ z: Floats, _ t: Floats, into p: Floats, smoothing: Double) -> Double {
        let K = z.count
        var largest = z[0]
        for k in 1..<K { largest = max(largest, z[k]) }
        var (partition, total, taken, all) = (0.0, 0.0, 0.0, 0.0)
        for k in 0..<K {
            let shifted = Double(z[k] - largest)
            let weight = exp(shifted)
            partition += weight
            p[k] = Float(weight)
            total += Double(t[k])
            taken += Double(t[k]) * shifted
            all += shifted
        }
        for k in 0..<K { p[k] = Float(Double(p[k]) / partition) }
        return total * log(partition) - (1 - smoothing) * taken - smoothing / Double(K) * total * all
    }
}
