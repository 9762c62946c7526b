public import Autodiff
import Glibc
public import Kernels

/// The running average of a sample's class shares, T' = β·T + (1 − β)·p̂; no gradient passes.
/// z: (B, K) logits; T: (B, K), the rows of the batch's samples before this step; out: T', (B, K).
/// p̂ is softmax(z), or softmax cut to [1e-4, 1 − 1e-4] and divided by its sum. Averages start at 0 and are not
/// corrected for it, so that what reads them fades in. Source: arXiv 2007.00151, code shengliu66/ELR.
public struct RunningTarget: Operation {
    /// Bounds of a share.
    static let low = 1e-4, high = 1 - 1e-4

    private let keep: Double
    private let isCut: Bool

    /// - Parameters:
    ///   - keep: β, 0..<1.
    ///   - isCut: shares are cut and divided by their sum, as ELR does; ELR+ takes them as they are.
    public init(keep: Double, isCut: Bool) { (self.keep, self.isCut) = (keep, isCut) }

    public func callAsFunction(_ logits: Tensor, _ rows: Tensor) -> Tensor { logits.apply(self, rows) }

    public var keeps: Kept { .nothing }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].rank == 2, shapes[0] == shapes[1] else {
            throw ShapeError("rows \(shapes[1]) for logits \(shapes[0])")
        }
        return shapes[0]
    }

    /// Shares in Double.
    public func extra(for shapes: [Shape]) -> Extra { Extra(scratch: 2 * shapes[0].count) }

    public func forward(_ at: Workspace) {
        let (B, K) = (at.shapes[0][0], at.shapes[0][1])
        let shares = at.scratch[0..<2 * B * K].viewed(as: Double.self)
        at.pool.split(B, grain: 16, (at.inputs[0], at.inputs[1], at.output, shares, K, keep, isCut)) { work, rows in
            let (logits, before, after, shares, K, keep, isCut) = work
            for row in rows {
                let range = row * K..<(row + 1) * K
                let p = shares[range]
                p.softmax(of: logits[range])
                var total = 1.0
                if isCut {
                    total = 0
                    for k in 0..<K {
                        p[k] = min(max(p[k], Self.low), Self.high)
                        total += p[k]
                    }
                }
                let (old, new) = (before[range], after[range])
                for k in 0..<K { new[k] = Float(keep * Double(old[k]) + (1 - keep) * p[k] / total) }
            }
        }
    }

    public func backward(_ at: Workspace) {
        for (gradient, adds) in zip(at.inputGradients, at.adds) where !adds { gradient?.fill(0) }
    }
}

extension Buffer<Double> {
    /// The class shares of one row of logits.
    func softmax(of logits: Floats) {
        var largest = logits[0]
        for k in 1..<count { largest = Swift.max(largest, logits[k]) }
        var sum = 0.0
        for k in 0..<count {
            self[k] = exp(Double(logits[k] - largest))
            sum += self[k]
        }
        for k in 0..<count { self[k] /= sum }
    }
}
