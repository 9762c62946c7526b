public import Autodiff
public import Kernels

/// 1 − CKA of features and a guide's Gram matrix, mean over groups, in the form that costs less where a group has fewer
/// rows than features: K = Xc·Xcᵀ, CKA = ⟨K, L⟩/√(⟨K, K⟩·⟨L, L⟩), ∂CKA/∂X = 2/√(b·c)·(L − (a/b)·K)·Xc.
/// x: (B, …, C); L: what `CentredGram` gives; out: (2), this rank's share of the distance, and its share of comparisons
/// without a value. The gradient is that of the sum of all ranks' shares. Saves K; keeps its inputs; a guide gets no
/// gradient. Sources: arXiv 1905.00414, arXiv 2410.20035.
public struct GramAlignment: Operation {
    private let form: Comparison
    private let groups: SampleGroups

    public init(_ form: Comparison, _ groups: SampleGroups) { (self.form, self.groups) = (form, groups) }

    public func callAsFunction(_ x: Tensor, _ gram: Tensor) -> Tensor { x.apply(self, gram) }

    public var keeps: Kept { .inputs }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        try ComparedRows.check([shapes[0]], groups.samples)
        let rows = compared(shapes)
        guard shapes[1] == [rows.sets, rows.rows, rows.groupRows] else {
            throw ShapeError("a guide's \(shapes[1]) for \(rows.sets) sets of \(rows.rows) rows")
        }
        return [2]
    }

    private func compared(_ shapes: [Shape]) -> ComparedRows { ComparedRows(shapes[0], form, groups) }

    private func comparisons(_ rows: ComparedRows) -> Int { groups.slots * rows.sets }

    public func extra(for shapes: [Shape]) -> Extra {
        let rows = compared(shapes)
        let (centred, count) = (CentredRows.scratch(rows), comparisons(rows))
        return Extra(
            saved: CentredRows.gramCount(rows) + AlignmentSums.saved * count,
            scratch: max(centred, AlignmentSums.scratch * count),
            backwardScratch: centred + rows.rows * rows.groupRows)
    }

    public func flops(for shapes: [Shape]) -> Int {
        let rows = compared(shapes)
        return rows.rows * rows.groupRows * rows.width
    }

    private func saved(_ at: Workspace, _ rows: ComparedRows) -> (gram: Floats, sums: Floats) {
        let end = CentredRows.gramCount(rows)
        return (at.saved[0..<end], at.saved[end..<at.saved.count])
    }

    public func forward(_ at: Workspace) {
        let rows = compared(at.shapes)
        let (k, saved) = saved(at, rows)
        let x = CentredRows(at.inputs[0], rows, at, scratch: at.scratch)
        x.gram(into: k, pool: at.pool)
        // The centred rows have done their part: their memory takes the sums.
        let sums = AlignmentSums(
            scratch: at.scratch[0..<AlignmentSums.scratch * comparisons(rows)], saved: saved)
        sums.scratch.fill(0)
        for (index, part) in groups.parts.enumerated() {
            for set in 0..<rows.sets {
                let (k, l) = (x.block(k, part, set: set), x.block(at.inputs[1], part, set: set))
                sums.set(
                    groups.slot(index) * rows.sets + set, at.pool.dot(k, l), at.pool.sumOfSquares(k),
                    at.pool.sumOfSquares(l))
            }
        }
        if !groups.isLocal { at.sumOverRanks(sums.scratch) }
        sums.write(groups, sets: rows.sets, rows: rows.groupRows, into: at.output)
    }

    public func backward(_ at: Workspace) {
        precondition(at.inputGradients[1] == nil, "a guide is not trained")
        let rows = compared(at.shapes)
        let (k, sums) = saved(at, rows)
        let centred = at.scratch[0..<CentredRows.scratch(rows)]
        // Every rank takes part, whether or not it needs the result.
        let x = CentredRows(at.inputs[0], rows, at, scratch: centred)
        guard let dx = at.inputGradients[0] else { return }
        let factor = -at.outputGradient[0] / Float(groups.count)
        for (index, part) in groups.parts.enumerated() {
            let own = dx[rows.floats(of: part)]
            for set in 0..<rows.sets {
                let (k, l) = (x.block(k, part, set: set), x.block(at.inputs[1], part, set: set))
                let comparison = groups.slot(index) * rows.sets + set
                let (slope, ratio) = (factor * sums[2 * comparison], sums[2 * comparison + 1])
                let m = at.scratch[centred.count..<centred.count + k.count]
                at.pool.copy(k, into: m, scale: -slope * ratio)
                at.pool.copy(l, into: m, adding: true, scale: slope)
                at.pool.multiply(
                    Matrix(m, rows: k.count / rows.groupRows, columns: rows.groupRows),
                    rows.matrix(x.group(of: part), set: set), into: rows.matrix(own, set: set), adding: at.adds[0])
            }
        }
    }
}

/// Y·Yᵀ of centred features, within each group: what Gram alignment reads of a guide, whose features are then no longer
/// needed. y: (B, …, C) to (sets, rows of this rank, rows of a group). No gradient.
public struct CentredGram: Operation {
    private let form: Comparison
    private let groups: SampleGroups

    public init(_ form: Comparison, _ groups: SampleGroups) { (self.form, self.groups) = (form, groups) }

    public func callAsFunction(_ y: Tensor) -> Tensor { y.apply(self) }

    public var keeps: Kept { .nothing }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        try ComparedRows.check(shapes, groups.samples)
        let rows = ComparedRows(shapes[0], form, groups)
        return [rows.sets, rows.rows, rows.groupRows]
    }

    public func extra(for shapes: [Shape]) -> Extra {
        Extra(scratch: CentredRows.scratch(ComparedRows(shapes[0], form, groups)))
    }

    public func flops(for shapes: [Shape]) -> Int {
        let rows = ComparedRows(shapes[0], form, groups)
        return rows.rows * rows.groupRows * rows.width
    }

    public func forward(_ at: Workspace) {
        let compared = ComparedRows(at.shapes[0], form, groups)
        CentredRows(at.inputs[0], compared, at, scratch: at.scratch).gram(into: at.output, pool: at.pool)
    }

    public func backward(_ at: Workspace) { preconditionFailure("a guide is not trained") }
}
