import CKernels

/// Weights of one Adam or AdamW update, formed in Double and rounded once.
public struct AdamCoefficients: Sendable {
    let raw: ck_adam

    /// - Parameters:
    ///   - keep: 1 - ηλ (decoupled decay) or 1.
    ///   - decay: λ added to the gradient (coupled decay) or 0.
    ///   - step: updates including this one, from 1.
    public init(
        keep: Double, decay: Double, first: Double, second: Double, epsilon: Double, rate: Double, step: Int
    ) {
        raw = ck_adam(
            keep: Float(keep), decay: Float(decay), first_share: Float(1 - first), second_keep: Float(second),
            second_share: Float(1 - second), rate: Float(rate / biasCorrection(first, step)),
            correction: Float(1 / biasCorrection(second, step).squareRoot()), epsilon: Float(epsilon))
    }
}

/// Weights of one LAMB update.
public struct LAMBCoefficients: Sendable {
    let raw: ck_lamb

    public init(
        decay: Double, first: Double, second: Double, epsilon: Double, averages: Bool, corrects: Bool, step: Int
    ) {
        raw = ck_lamb(
            first_keep: Float(first), first_share: averages ? Float(1 - first) : 1, second_keep: Float(second),
            second_share: Float(1 - second), first_correction: corrects ? Float(1 / biasCorrection(first, step)) : 1,
            correction: corrects ? Float(1 / biasCorrection(second, step).squareRoot()) : 1, epsilon: Float(epsilon),
            decay: Float(decay))
    }
}

/// Weights of one Lion update.
public struct LionCoefficients: Sendable {
    let raw: ck_lion

    public init(keep: Double, first: Double, second: Double, rate: Double) {
        raw = ck_lion(
            keep: Float(keep), rate: Float(rate), mix: Float(first), mix_share: Float(1 - first),
            momentum: Float(second), momentum_share: Float(1 - second))
    }
}

/// Weights of one momentum update: `d = ratio·(g + decay·w); b = momentum·b + share·d; w -= rate·(d or b or both)`.
public struct MomentumCoefficients: Sendable {
    var raw: ck_momentum

    /// - Parameter isFirst: the buffer starts as the undamped direction.
    public init(decay: Double, momentum: Double, dampening: Double, nesterov: Bool, rate: Double, isFirst: Bool) {
        raw = ck_momentum(
            decay: Float(decay), ratio: 1, momentum: isFirst ? 0 : Float(momentum),
            share: isFirst ? 1 : Float(1 - dampening), direct: nesterov ? 1 : 0,
            through: nesterov ? Float(momentum) : 1, rate: Float(rate))
    }
}

/// 1 - β^k, by repeated squaring: the power functions of two C libraries may differ in the last bit, products do not.
private func biasCorrection(_ beta: Double, _ step: Int) -> Double {
    precondition(step >= 1, "updates count from 1")
    var (power, base, rest) = (1.0, beta, step)
    while rest > 0 {
        if rest & 1 == 1 { power *= base }
        base *= base
        rest >>= 1
    }
    return 1 - power
}

/// Weight updates over the pieces of a run. w, g: one run of values and gradients; m, v, b: its state.
/// All instruction levels and thread counts give the same bits.
extension WorkerPool {
    /// Adam and AdamW in one pass.
    public func adam(
        _ w: Floats, _ g: Floats, first m: Floats, second v: Floats, _ coefficients: AdamCoefficients,
        _ pieces: UpdatePieces
    ) {
        pieces.check(w, g, m, v)
        split(pieces.list.count, grain: 1, (kernels, w, g, m, v, coefficients, pieces.list)) { at, range in
            for piece in range {
                let (start, count) = (at.6[piece].start, at.6[piece].count)
                at.0.pointee.update.adam(
                    at.5.raw, at.1.pointer + start, at.2.pointer + start, at.3.pointer + start, at.4.pointer + start,
                    count)
            }
        }
    }

    /// Lion in one pass.
    public func lion(
        _ w: Floats, _ g: Floats, first m: Floats, _ coefficients: LionCoefficients, _ pieces: UpdatePieces
    ) {
        pieces.check(w, g, m)
        split(pieces.list.count, grain: 1, (kernels, w, g, m, coefficients, pieces.list)) { at, range in
            for piece in range {
                let (start, count) = (at.5[piece].start, at.5[piece].count)
                at.0.pointee.update.lion(
                    at.4.raw, at.1.pointer + start, at.2.pointer + start, at.3.pointer + start, count)
            }
        }
    }

    /// Momentum descent; without `buffer` plain descent.
    /// - Parameter factors: per tensor (decay, ratio), in place of the coefficients' own.
    public func descend(
        _ w: Floats, _ g: Floats, buffer b: Floats?, _ coefficients: MomentumCoefficients, _ pieces: UpdatePieces,
        factors: Floats? = nil
    ) {
        pieces.check(w, g, b ?? g, w)
        precondition(factors.map { $0.count == 2 * pieces.tensors } ?? true, "two factors a tensor")
        split(pieces.list.count, grain: 1, (kernels, w, g, b, coefficients, pieces.list, factors)) { at, range in
            for index in range {
                let piece = at.5[index]
                var raw = at.4.raw
                if let factors = at.6 {
                    (raw.decay, raw.ratio) = (factors[2 * piece.tensor], factors[2 * piece.tensor + 1])
                }
                let (w, g) = (at.1.pointer + piece.start, at.2.pointer + piece.start)
                if let b = at.3 {
                    at.0.pointee.update.momentum(raw, w, g, b.pointer + piece.start, piece.count)
                } else {
                    at.0.pointee.update.descend(raw, w, g, piece.count)
                }
            }
        }
    }

    /// First pass of LAMB: new moments, and per tensor ‖w‖² and ‖u‖² of the direction u.
    public func lambMoments(
        _ w: Floats, _ g: Floats, first m: Floats, second v: Floats, _ coefficients: LAMBCoefficients,
        _ pieces: UpdatePieces, norms: Buffer<Double>
    ) {
        pieces.check(w, g, m, v)
        let all = (kernels, w, g, m, v, coefficients, pieces.list, pieces.sums)
        split(pieces.list.count, grain: 1, all) { at, range in
            for piece in range {
                let (start, count) = (at.6[piece].start, at.6[piece].count)
                at.0.pointee.update.lamb_moments(
                    at.5.raw, at.1.pointer + start, at.2.pointer + start, at.3.pointer + start, at.4.pointer + start,
                    count, at.7.pointer + 2 * piece)
            }
        }
        pieces.gather(into: norms)
    }

    /// Second pass of LAMB: w -= rate·u with one rate per tensor.
    public func lambApply(
        _ w: Floats, first m: Floats, second v: Floats, _ coefficients: LAMBCoefficients, _ pieces: UpdatePieces,
        rates: Floats
    ) {
        pieces.check(w, m, v, w)
        precondition(rates.count == pieces.tensors, "one rate a tensor")
        split(pieces.list.count, grain: 1, (kernels, w, m, v, coefficients, pieces.list, rates)) { at, range in
            for index in range {
                let piece = at.5[index]
                at.0.pointee.update.lamb_apply(
                    at.4.raw, at.6[piece.tensor], at.1.pointer + piece.start, at.2.pointer + piece.start,
                    at.3.pointer + piece.start, piece.count)
            }
        }
    }

    /// Per tensor ‖w‖² and ‖g + decay·w‖².
    public func squaredNorms(_ w: Floats, _ g: Floats, decay: Double, _ pieces: UpdatePieces, norms: Buffer<Double>) {
        pieces.check(w, g)
        split(pieces.list.count, grain: 1, (kernels, w, g, Float(decay), pieces.list, pieces.sums)) { at, range in
            for piece in range {
                let (start, count) = (at.4[piece].start, at.4[piece].count)
                at.0.pointee.update.squares(
                    at.3, at.1.pointer + start, at.2.pointer + start, count, at.5.pointer + 2 * piece)
            }
        }
        pieces.gather(into: norms)
    }

    /// Σ g² of a run, in Double with a fixed order of additions.
    public func squaredNorm(_ g: Floats, _ pieces: UpdatePieces) -> Double {
        pieces.check(g, g)
        split(pieces.list.count, grain: 1, (kernels, g, pieces.list, pieces.sums)) { at, range in
            for piece in range {
                let (start, count) = (at.2[piece].start, at.2[piece].count)
                at.3[2 * piece] = at.0.pointee.update.square(at.1.pointer + start, count)
            }
        }
        var sum = 0.0
        for piece in 0..<pieces.list.count { sum += pieces.sums[2 * piece] }
        return sum
    }

    /// g *= factor.
    public func shrink(_ g: Floats, by factor: Float, _ pieces: UpdatePieces) {
        pieces.check(g, g)
        split(pieces.list.count, grain: 1, (kernels, g, factor, pieces.list)) { at, range in
            for piece in range {
                at.0.pointee.update.scale(at.2, at.1.pointer + at.3[piece].start, at.3[piece].count)
            }
        }
    }

    /// average = keep·average + (1 - keep)·current; both weights are rounded from Double.
    public func blend(_ current: Floats, into average: Floats, keep: Double) {
        precondition(current.count == average.count, "average of \(average.count), values of \(current.count)")
        let weights = (Float(keep), Float(1 - keep))
        split(current.count, grain: UpdatePieces.pieceElements, (kernels, current, average, weights)) { at, range in
            at.0.pointee.update.blend(
                at.3.0, at.2.pointer + range.lowerBound, at.3.1, at.1.pointer + range.lowerBound, range.count)
        }
    }

    /// Nearest bfloat16 of each value, ties to even, as its 16 bits; a NaN stays a NaN.
    public func roundToHalf(_ x: Floats, into y: Buffer<UInt16>) {
        precondition(x.count == y.count, "\(y.count) halves for \(x.count) values")
        split(x.count, grain: UpdatePieces.pieceElements, (kernels, x, y)) { at, range in
            at.0.pointee.update.to_bf16(at.1.pointer + range.lowerBound, at.2.pointer + range.lowerBound, range.count)
        }
    }

    /// The exact values of bfloat16 bits.
    public func widen(_ x: Buffer<UInt16>, into y: Floats) {
        precondition(x.count == y.count, "\(y.count) values for \(x.count) halves")
        split(x.count, grain: UpdatePieces.pieceElements, (kernels, x, y)) { at, range in
            at.0.pointee.update.from_bf16(at.1.pointer + range.lowerBound, at.2.pointer + range.lowerBound, range.count)
        }
    }
}

extension UpdatePieces {
    /// Every buffer must hold all tensors: checked once per call and not per piece.
    func check(_ w: Floats, _ g: Floats, _ m: Floats? = nil, _ v: Floats? = nil) {
        precondition(
            w.count >= extent && g.count >= extent, "tensors end at \(extent), buffers at \(w.count), \(g.count)")
        precondition((m?.count ?? extent) >= extent && (v?.count ?? extent) >= extent, "state shorter than its tensors")
    }
}
