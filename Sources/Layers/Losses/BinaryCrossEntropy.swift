public import Autodiff
import Glibc
public import Kernels

/// Binary cross entropy of every class against its target, mean over classes, summed over the batch:
/// Σ_b 1/K Σ_k max(z, 0) − z·t + log(1 + e^−|z|). z: (B, K) logits; t: (B, K) targets, 0...1; out: (1).
/// Smoothing ε replaces t by (1 − ε)·t + ε/K·Σt. Keeps inputs.
/// Source: arXiv 2110.00476 as in PyTorch's BCEWithLogitsLoss; SparK fine-tunes its ResNets so.
public struct BinaryCrossEntropy: Operation {
    private let smoothing: Float

    /// - Parameter smoothing: ε, 0..<1.
    public init(smoothing: Double = 0) { self.smoothing = Float(smoothing) }

    public func callAsFunction(_ logits: Tensor, _ targets: Tensor) -> Tensor { logits.apply(self, targets) }

    public var keeps: Kept { .inputs }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].rank == 2, shapes[0] == shapes[1] else {
            throw ShapeError("targets \(shapes[1]) for logits \(shapes[0])")
        }
        return [1]
    }

    public func extra(for shapes: [Shape]) -> Extra { Extra(scratch: 2 * shapes[0].rows) }

    public func forward(_ at: Workspace) {
        let (B, K) = (at.shapes[0][0], at.shapes[0][1])
        let losses = at.scratch[0..<2 * B].viewed(as: Double.self)
        at.pool.split(B, grain: 4, (at.inputs[0], at.inputs[1], losses, K, smoothing)) { arguments, rows in
            let (logits, targets, losses, K, smoothing) = arguments
            for row in rows {
                let (z, t) = (logits[row * K..<(row + 1) * K], targets[row * K..<(row + 1) * K])
                let spread = Self.spread(t, smoothing)
                var sum = 0.0
                for k in 0..<K {
                    let (score, target) = (Double(z[k]), Double((1 - smoothing) * t[k] + spread))
                    sum += max(score, 0) - score * target + log1p(exp(-abs(score)))
                }
                losses[row] = sum / Double(K)
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
        let factor = at.outputGradient[0] / Float(K)
        at.pool.split(B, grain: 4, (at.inputs[0], at.inputs[1], dz, K, smoothing, factor, at.adds[0])) {
            arguments, rows in
            let (logits, targets, dz, K, smoothing, factor, adds) = arguments
            for row in rows {
                let range = row * K..<(row + 1) * K
                let (z, t, gradient) = (logits[range], targets[range], dz[range])
                let spread = Self.spread(t, smoothing)
                for k in 0..<K {
                    let share = 1 / (1 + exp(-z[k]))
                    let slope = factor * (share - (1 - smoothing) * t[k] - spread)
                    gradient[k] = adds ? gradient[k] + slope : slope
                }
            }
        }
    }

    /// The share that smoothing adds to the target of each class: ε/K·Σt.
    private static func spread(_ t: Floats, _ smoothing: Float) -> Float {
        var total: Float = 0
        for k in 0..<t.count { total += t[k] }
        return smoothing / Float(t.count) * total
    }
}
