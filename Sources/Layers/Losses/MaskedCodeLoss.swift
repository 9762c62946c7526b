public import Autodiff
import Glibc
public import Kernels

/// Σ over masked patches of the mean loss of their codes. z: (B, L·P², K) scores, patch by patch and row by row inside
/// one; ids: (B, m, m, 1) with L = (m/P)²; mask: (B, …) of `TokenMaskState`s; out: (1). Per code, with p = softmax(z)
/// and id y: cross entropy (1 − s)·(−log p_y) + s·mean_k(−log p_k), or binary, the mean over k of K questions.
/// Without a mask all patches count. Saves the probabilities. Ids and mask get no gradient. Source: code naver-ai/seit.
public struct MaskedCodeLoss: Operation {
    public enum Form: Sendable, Equatable {
        /// s, 0..<1.
        case crossEntropy(smoothing: Double)
        case binary
    }

    private let form: Form
    private let patch: Int

    /// - Parameter patch: P, codes along a side of a patch.
    public init(_ form: Form, patch: Int) { (self.form, self.patch) = (form, patch) }

    public func callAsFunction(_ scores: Tensor, _ ids: Tensor, mask: Tensor? = nil) -> Tensor {
        if let mask { scores.apply(self, ids, mask) } else { scores.apply(self, ids) }
    }

    public var keeps: Kept { .input(1).union(.input(2)) }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        let (scores, ids) = (shapes[0], shapes[1])
        guard scores.rank == 3, ids.rank == 4, ids[1] % patch == 0, scores[0] == ids[0],
            scores[0] * scores[1] == ids.count, shapes.count < 3 || shapes[2].count * patch * patch == ids.count
        else { throw ShapeError("\(shapes.dropFirst()) for scores \(scores) in patches of \(patch)") }
        return [1]
    }

    public func extra(for shapes: [Shape]) -> Extra {
        Extra(saved: shapes[0].count, scratch: 2 * Codes(shapes, patch: patch).patches)
    }

    public func forward(_ at: Workspace) {
        let codes = Codes(at.shapes, patch: patch)
        if case .crossEntropy = form {
            at.pool.softmax(at.inputs[0], into: at.saved, rows: codes.patches * codes.each, columns: codes.count)
        }
        let losses = at.scratch[0..<2 * codes.patches].viewed(as: Double.self)
        at.pool.split(
            codes.patches, grain: 4, (at.inputs[0], at.inputs[1], mask(at), at.saved, losses, codes, form)
        ) { arguments, patches in
            let (z, ids, mask, saved, losses, codes, form) = arguments
            for patch in patches {
                losses[patch] = 0
                if let mask, mask[patch] == TokenMaskState.visible { continue }
                for code in 0..<codes.each {
                    let row = codes.row(patch, code), id = Int(ids[codes.place(patch, code)])
                    losses[patch] += Self.loss(z[row], id, saved[row], form) / Double(codes.each)
                }
            }
        }
        // One sum over patches in their order, in Double.
        var sum = 0.0
        for patch in 0..<codes.patches { sum += losses[patch] }
        at.output[0] = Float(sum)
    }

    public func backward(_ at: Workspace) {
        guard let dz = at.inputGradients[0] else { return }
        let codes = Codes(at.shapes, patch: patch)
        let factor = at.outputGradient[0] / Float(codes.each)
        at.pool.split(
            codes.patches, grain: 4, (at.saved, at.inputs[1], mask(at), dz, codes, form, factor, at.adds[0])
        ) { arguments, patches in
            let (saved, ids, mask, dz, codes, form, factor, adds) = arguments
            for patch in patches {
                for code in 0..<codes.each {
                    let row = codes.row(patch, code), gradient = dz[row]
                    if let mask, mask[patch] == TokenMaskState.visible {
                        if !adds { gradient.fill(0) }
                        continue
                    }
                    Self.gradient(
                        saved[row], Int(ids[codes.place(patch, code)]), form, factor: factor, into: gradient,
                        adding: adds)
                }
            }
        }
    }

    private func mask(_ at: Workspace) -> Floats? { at.inputs.count > 2 ? at.inputs[2] : nil }

    /// - Parameter p: the probabilities, written here where the form is binary.
    private static func loss(_ z: Floats, _ id: Int, _ p: Floats, _ form: Form) -> Double {
        let K = z.count
        switch form {
        case .crossEntropy(let smoothing):
            var (largest, best, total) = (z[0], p[0], 0.0)
            for k in 1..<K where z[k] > largest { (largest, best) = (z[k], p[k]) }
            // log Σ exp(z − largest): the probability of the largest score cannot vanish.
            let partition = -log(Double(best))
            let own = Double(largest - z[id]) + partition
            guard smoothing > 0 else { return own }
            for k in 0..<K { total += Double(largest - z[k]) }
            return (1 - smoothing) * own + smoothing * (total / Double(K) + partition)
        case .binary:
            var sum = 0.0
            for k in 0..<K {
                let score = Double(z[k])
                sum += max(score, 0) + log1p(exp(-abs(score)))
                p[k] = Float(1 / (1 + exp(-score)))
            }
            return (sum - Double(z[id])) / Double(K)
        }
    }

    private static func gradient(
        _ p: Floats, _ id: Int, _ form: Form, factor: Float, into dz: Floats, adding: Bool
    ) {
        let K = p.count
        var (scale, spread, own) = (factor, Float(0), factor)
        switch form {
        case .crossEntropy(let smoothing):
            spread = factor * Float(smoothing) / Float(K)
            own = factor * Float(1 - smoothing)
        case .binary:
            scale = factor / Float(K)
            own = scale
        }
        for k in 0..<K {
            let slope = scale * p[k] - spread
            dz[k] = adding ? dz[k] + slope : slope
        }
        dz[id] -= own
    }
}

/// The places of the codes of the patches.
private struct Codes {
    /// Patches of the batch.
    let patches: Int
    /// P², the codes of a patch.
    let each: Int
    /// K
    let count: Int
    private let patch, side, perSample: Int

    init(_ shapes: [Shape], patch: Int) {
        (self.patch, each, side) = (patch, patch * patch, shapes[1][1])
        (patches, perSample) = (shapes[1].count / each, shapes[1].count / each / shapes[1][0])
        count = shapes[0][2]
    }

    /// The scores of one code.
    func row(_ patch: Int, _ code: Int) -> Range<Int> {
        (patch * each + code) * count..<(patch * each + code + 1) * count
    }

    /// Its place among the ids.
    func place(_ patch: Int, _ code: Int) -> Int {
        let (sample, inside, across) = (patch / perSample, patch % perSample, side / self.patch)
        let row = inside / across * self.patch + code / self.patch
        let column = inside % across * self.patch + code % self.patch
        return sample * side * side + row * side + column
    }
}
