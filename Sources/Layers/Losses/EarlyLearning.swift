public import Autodiff
import Glibc
public import Kernels

/// The penalty of early-learning regularisation, summed over the batch: λ·w·Σ_b log(1 − Σ_k T_k·p_k) with
/// p = softmax(z) cut to [1e-4, 1 − 1e-4], not divided by its sum. It rewards agreement with the target and is at most 0.
/// z: (B, K) logits; T: (B, K) targets, which get no gradient; w: (1), a factor of the step, optional; out: (1).
/// With s = softmax(z), m = 1 where s lies within the bounds (both included) and a = −m·T / (1 − ⟨T, p⟩) the gradient is
/// s·(a − Σ_k s_k·a_k). Keeps w and saves the gradient. Source: arXiv 2007.00151, code shengliu66/ELR.
public struct EarlyLearning: Operation {
    private let weight: Double

    /// - Parameter weight: λ.
    public init(weight: Double) { self.weight = weight }

    public func callAsFunction(_ logits: Tensor, _ targets: Tensor, factor: Tensor? = nil) -> Tensor {
        if let factor { logits.apply(self, targets, factor) } else { logits.apply(self, targets) }
    }

    public var keeps: Kept { .input(2) }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].rank == 2, shapes[0] == shapes[1] else {
            throw ShapeError("targets \(shapes[1]) for logits \(shapes[0])")
        }
        return [1]
    }

    public func extra(for shapes: [Shape]) -> Extra {
        Extra(saved: shapes[0].count, scratch: 2 * (shapes[0].count + shapes[0].rows))
    }

    public func forward(_ at: Workspace) {
        let (B, K) = (at.shapes[0][0], at.shapes[0][1])
        let scratch = at.scratch[0..<2 * B * (K + 1)].viewed(as: Double.self)
        let (shares, losses) = (scratch[0..<B * K], scratch[B * K..<B * (K + 1)])
        at.pool.split(B, grain: 16, (at.inputs[0], at.inputs[1], at.saved, shares, losses, K)) { work, rows in
            let (logits, targets, saved, shares, losses, K) = work
            for row in rows {
                let range = row * K..<(row + 1) * K
                losses[row] = Self.loss(logits[range], targets[range], slope: saved[range], shares[range])
            }
        }
        // One sum over rows in their order, in Double.
        var sum = 0.0
        for row in 0..<B { sum += losses[row] }
        at.output[0] = Float(weight * factor(at) * sum)
    }

    public func backward(_ at: Workspace) {
        if at.inputGradients.count > 1, !at.adds[1] { at.inputGradients[1]?.fill(0) }
        guard let dz = at.inputGradients[0] else { return }
        let scale = Float(weight * factor(at)) * at.outputGradient[0]
        at.pool.split(dz.count, grain: 4096, (dz, at.saved, scale, at.adds[0])) { work, range in
            let (dz, slope, scale, adds) = work
            for index in range { dz[index] = adds ? dz[index] + scale * slope[index] : scale * slope[index] }
        }
    }

    private func factor(_ at: Workspace) -> Double { at.inputs.count > 2 ? Double(at.inputs[2][0]) : 1 }

    private static func loss(_ z: Floats, _ T: Floats, slope: Floats, _ s: Buffer<Double>) -> Double {
        s.softmax(of: z)
        var rest = 1.0
        for k in 0..<s.count {
            rest -= Double(T[k]) * min(max(s[k], RunningTarget.low), RunningTarget.high)
        }
        func pull(_ k: Int) -> Double {
            let isFree = s[k] >= RunningTarget.low && s[k] <= RunningTarget.high
            return isFree ? -Double(T[k]) / rest : 0
        }
        var mean = 0.0
        for k in 0..<s.count { mean += s[k] * pull(k) }
        for k in 0..<s.count { slope[k] = Float(s[k] * (pull(k) - mean)) }
        return log(rest)
    }
}
