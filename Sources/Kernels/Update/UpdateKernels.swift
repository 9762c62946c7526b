import CKernels

/// One update rule's loops in C (CKernels/bodies/update.h), by name.
public struct UpdateKernel: Sendable, Equatable {
    /// Its place in the table, the same at every instruction level.
    private let index: Int
    /// Buffers of state, and numbers that its body wants.
    public let state, coefficients: Int

    /// - Parameter name: that of a line in the table; another one is a mistake of the rule's author.
    public init(_ name: String) {
        let kernels = InstructionLevel.baseline.table.pointee.update.kernels
        var index = 0
        while let found = kernels[index].name, String(cString: found) != name { index += 1 }
        precondition(kernels[index].name != nil, "no update kernel is called '\(name)'")
        self.index = index
        (state, coefficients) = (kernels[index].state, kernels[index].coefficients)
    }

    func raw(_ table: UnsafePointer<ck_table>) -> UnsafePointer<ck_update_kernel> {
        table.pointee.update.kernels + index
    }
}

/// 1 - β^k, by repeated squaring: the power functions of two C libraries may differ in the last bit, products do not.
/// - Parameter step: k, updates including this one, from 1.
public func biasCorrection(_ beta: Double, _ step: Int) -> Double {
    precondition(step >= 1, "updates count from 1")
    var (power, base, rest) = (1.0, beta, step)
    while rest > 0 {
        if rest & 1 == 1 { power *= base }
        base *= base
        rest >>= 1
    }
    return 1 - power
}

/// Weight updates over the pieces of a run. All instruction levels and thread counts give the same bits.
extension WorkerPool {
    /// Moves values and state after the gradients.
    /// - Parameters:
    ///   - state: as many buffers as the kernel has.
    ///   - coefficients: the kernel's numbers, in its order; each is rounded once.
    ///   - factors: the first numbers of each tensor, in place of the first coefficients.
    public func update<let count: Int>(
        _ kernel: UpdateKernel, _ values: Floats, _ gradients: Floats, state: [Floats],
        _ coefficients: [count of Double], _ pieces: UpdatePieces, factors: Floats? = nil
    ) {
        for index in 0..<count { pieces.coefficients[index] = Float(coefficients[index]) }
        precondition(count == kernel.coefficients, "\(kernel.coefficients) coefficients wanted, found \(count)")
        run(kernel, values, gradients, state, pieces, factors, measures: false)
    }

    /// Moves the state, where the kernel does so before the values, and writes two sums of squares for each tensor.
    public func measure<let count: Int>(
        _ kernel: UpdateKernel, _ values: Floats, _ gradients: Floats, state: [Floats],
        _ coefficients: [count of Double], _ pieces: UpdatePieces, norms: Buffer<Double>
    ) {
        for index in 0..<count { pieces.coefficients[index] = Float(coefficients[index]) }
        precondition(count == kernel.coefficients, "\(kernel.coefficients) coefficients wanted, found \(count)")
        run(kernel, values, gradients, state, pieces, nil, measures: true)
        pieces.gather(into: norms)
    }

    private func run(
        _ kernel: UpdateKernel, _ values: Floats, _ gradients: Floats, _ state: [Floats], _ pieces: UpdatePieces,
        _ factors: Floats?, measures: Bool
    ) {
        let own = factors.map { $0.count / max(pieces.tensors, 1) } ?? 0
        precondition(own <= kernel.coefficients, "more factors a tensor than coefficients")
        precondition(state.count == kernel.state, "\(kernel.state) buffers of state wanted, found \(state.count)")
        pieces.check(values)
        pieces.check(gradients)
        for buffer in state { pieces.check(buffer) }
        let raw = kernel.raw(kernels)
        precondition(measures ? raw.pointee.measure != nil : raw.pointee.update != nil, "the kernel lacks this half")
        let job = UpdateJob(
            kernel: raw, values: values, gradients: gradients, state: state, pieces: pieces, factors: factors,
            factorsOfTensor: own, measures: measures)
        split(pieces.list.count, grain: 1, job) { job, range in
            for piece in range { job.run(piece) }
        }
    }

    /// Σ g² of a run, in Double with a fixed order of additions.
    public func squaredNorm(_ g: Floats, _ pieces: UpdatePieces) -> Double {
        pieces.check(g)
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
        pieces.check(g)
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
    func check(_ buffer: Floats) {
        precondition(buffer.count >= extent, "tensors end at \(extent), a buffer at \(buffer.count)")
    }
}

/// The inputs that threads share in one pass of a kernel.
private struct UpdateJob: @unchecked Sendable {
    let kernel: UnsafePointer<ck_update_kernel>
    let values, gradients: Floats
    let state: [Floats]
    let pieces: UpdatePieces
    let factors: Floats?
    let factorsOfTensor: Int
    let measures: Bool

    /// Hands one piece to the C body: addresses of its stretch, and numbers of its tensor. The lists lie on the stack.
    func run(_ index: Int) {
        let (piece, numbers) = (pieces.list[index], kernel.pointee.coefficients)
        let (w, g) = (values.pointer + piece.start, gradients.pointer + piece.start)
        withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<Float>.self, capacity: state.count + 1) { buffers in
            buffers.initialize(repeating: w)
            for index in state.indices { buffers[index] = state[index].pointer + piece.start }
            withUnsafeTemporaryAllocation(of: Float.self, capacity: numbers) { own in
                for index in 0..<numbers { own.initializeElement(at: index, to: pieces.coefficients[index]) }
                if let factors {
                    for index in 0..<factorsOfTensor {
                        own[index] = factors[piece.tensor * factorsOfTensor + index]
                    }
                }
                guard let state = UnsafePointer(buffers.baseAddress), let c = UnsafePointer(own.baseAddress) else {
                    return
                }
                if measures {
                    kernel.pointee.measure?(w, g, state, c, piece.count, pieces.sums.pointer + 2 * index)
                } else {
                    kernel.pointee.update?(w, g, state, c, piece.count)
                }
            }
        }
    }
}

extension Floats {
    /// x = keep·x + share·other, on the calling thread.
    public func blend(keep: Float, share: Float, of other: Floats) {
        precondition(other.count == count, "operands of different size")
        InstructionLevel.detected.table.pointee.update.blend(keep, base, share, other.base, count)
    }
}
