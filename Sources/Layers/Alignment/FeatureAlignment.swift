public import Autodiff
public import Kernels

/// 1 − CKA of the features of two networks, mean over groups, in the form that costs less where a group has more rows
/// than features: with centred rows a = ‖XᵀY‖², b = ‖XᵀX‖², c = ‖YᵀY‖², CKA = a/√(b·c),
/// ∂CKA/∂X = 2/√(b·c)·(Y·(XᵀY)ᵀ − (a/b)·X·(XᵀX)).
/// x: (B, …, C); y: the same rows of the guide; out: (2) as `GramAlignment`. Saves means and moments; keeps its inputs;
/// a guide gets no gradient. Sources: arXiv 1905.00414, arXiv 2410.20035.
public struct FeatureAlignment: Operation {
    private let form: Comparison
    private let groups: SampleGroups

    public init(_ form: Comparison, _ groups: SampleGroups) { (self.form, self.groups) = (form, groups) }

    public func callAsFunction(_ x: Tensor, _ y: Tensor) -> Tensor { x.apply(self, y) }

    /// Whether this form costs less than that by Gram matrices.
    public static func isCheaper(_ x: Shape, _ y: Shape, _ form: Comparison, _ groups: SampleGroups) -> Bool {
        let (x, y) = (ComparedRows(x, form, groups), ComparedRows(y, form, groups))
        let (n, p, q) = (Double(x.groupRows), Double(x.columns), Double(y.columns))
        return 2 * n * p * q + n * (p * p + q * q) + 2 * n * p * (p + q) < n * n * (p + q) + 2 * n * n * p
    }

    public var keeps: Kept { .inputs }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        try ComparedRows.check(shapes, groups.samples)
        let (x, y) = sides(shapes)
        guard x.rows == y.rows, x.sets == y.sets else {
            throw ShapeError("\(x.rows) rows of \(shapes[0]) against \(y.rows) of \(shapes[1])")
        }
        return [2]
    }

    private func sides(_ shapes: [Shape]) -> (x: ComparedRows, y: ComparedRows) {
        (ComparedRows(shapes[0], form, groups), ComparedRows(shapes[1], form, groups))
    }

    /// The places of the numbers of a group.
    private struct Places {
        let x, y: ComparedRows
        let slots: Int

        /// Floats of the means of both sides, for each group.
        var means: Int { slots * (x.width + y.width) }
        var cross: Int { x.columns * y.columns }
        var own: Int { x.columns * x.columns }
        var other: Int { y.columns * y.columns }
        /// Floats of the moments of one set of one group.
        var moments: Int { cross + own + other }
        var count: Int { means + slots * x.sets * moments }
        var centred: Int { x.rows * (x.width + y.width) }
    }

    private func places(_ shapes: [Shape]) -> Places {
        let (x, y) = sides(shapes)
        return Places(x: x, y: y, slots: groups.slots)
    }

    public func extra(for shapes: [Shape]) -> Extra {
        let at = places(shapes)
        let comparisons = at.slots * at.x.sets
        let sums = groups.parts.map { part in
            WorkerPool.columnSumScratch(
                rows: part.samples.count * at.x.perSample, channels: max(at.x.width, at.y.width))
        }
        return Extra(
            saved: at.count + AlignmentSums.saved * comparisons,
            scratch: at.centred + max(AlignmentSums.scratch * comparisons, sums.max() ?? 0),
            backwardScratch: at.centred)
    }

    public func flops(for shapes: [Shape]) -> Int {
        let at = places(shapes)
        return 2 * at.x.rows * at.x.sets * at.cross + at.x.rows * at.x.sets * (at.own + at.other)
    }

    public func forward(_ at: Workspace) {
        let places = places(at.shapes)
        let numbers = at.saved[0..<places.count]
        let (means, moments) = (numbers[0..<places.means], numbers[places.means..<places.count])
        numbers.fill(0)
        sum(at, places, means)
        if !groups.isLocal { at.sumOverRanks(means) }
        at.pool.scale(means, by: 1 / Float(places.x.groupRows))
        let (x, y) = centre(at, places, means)
        for (index, part) in groups.parts.enumerated() {
            for set in 0..<places.x.sets {
                let (xy, xx, yy) = products(moments, places, groups.slot(index), set)
                let a = places.x.matrix(x[places.x.floats(of: part)], set: set).transposed
                let b = places.y.matrix(y[places.y.floats(of: part)], set: set).transposed
                at.pool.multiply(a, b.transposed, into: Matrix(xy, rows: a.rows, columns: b.rows))
                at.pool.gram(a, into: xx)
                at.pool.gram(b, into: yy)
            }
        }
        if !groups.isLocal { at.sumOverRanks(moments) }
        let count = places.slots * places.x.sets
        let sums = AlignmentSums(
            scratch: at.scratch[places.centred..<places.centred + AlignmentSums.scratch * count],
            saved: at.saved[places.count..<at.saved.count])
        for comparison in 0..<count {
            let (xy, xx, yy) = products(
                moments, places, comparison / places.x.sets, comparison % places.x.sets)
            sums.set(comparison, at.pool.sumOfSquares(xy), at.pool.sumOfSquares(xx), at.pool.sumOfSquares(yy))
        }
        sums.write(groups, sets: places.x.sets, rows: places.x.groupRows, into: at.output)
    }

    public func backward(_ at: Workspace) {
        precondition(at.inputGradients[1] == nil, "a guide is not trained")
        guard let dx = at.inputGradients[0] else { return }
        let places = places(at.shapes)
        let (x, y) = centre(at, places, at.saved[0..<places.means])
        let moments = at.saved[places.means..<places.count]
        let sums = at.saved[places.count..<at.saved.count]
        let factor = -at.outputGradient[0] / Float(groups.count)
        for (index, part) in groups.parts.enumerated() {
            let slot = groups.slot(index)
            for set in 0..<places.x.sets {
                let (xy, xx, _) = products(moments, places, slot, set)
                let comparison = slot * places.x.sets + set
                let (slope, ratio) = (factor * sums[2 * comparison], sums[2 * comparison + 1])
                let gradient = places.x.matrix(dx[places.x.floats(of: part)], set: set)
                let (p, q) = (places.x.columns, places.y.columns)
                at.pool.multiply(
                    places.y.matrix(y[places.y.floats(of: part)], set: set),
                    Matrix(xy, rows: p, columns: q).transposed, into: gradient, scale: slope, adding: at.adds[0])
                at.pool.multiply(
                    places.x.matrix(x[places.x.floats(of: part)], set: set), Matrix(xx, rows: p, columns: p),
                    into: gradient, scale: -slope * ratio, adding: true)
            }
        }
    }

    /// Σ of each side's rows, for each group that this rank has a part in.
    private func sum(_ at: Workspace, _ places: Places, _ means: Floats) {
        let scratch = at.scratch[places.centred..<at.scratch.count]
        for (index, part) in groups.parts.enumerated() {
            let (rows, mean) = (part.samples.count * places.x.perSample, mean(means, places, groups.slot(index)))
            at.pool.columnSums(
                at.inputs[0][places.x.floats(of: part)], rows: rows, channels: places.x.width, into: mean.x,
                adding: false, scratch: scratch)
            at.pool.columnSums(
                at.inputs[1][places.y.floats(of: part)], rows: rows, channels: places.y.width, into: mean.y,
                adding: false, scratch: scratch)
        }
    }

    /// The rows of this rank less the mean of their group.
    private func centre(_ at: Workspace, _ places: Places, _ means: Floats) -> (x: Floats, y: Floats) {
        let split = places.x.rows * places.x.width
        let (x, y) = (at.scratch[0..<split], at.scratch[split..<places.centred])
        x.copy(from: at.inputs[0])
        y.copy(from: at.inputs[1])
        for (index, part) in groups.parts.enumerated() {
            let mean = mean(means, places, groups.slot(index))
            at.pool.add(mean.x, times: -1, toRowsOf: x[places.x.floats(of: part)])
            at.pool.add(mean.y, times: -1, toRowsOf: y[places.y.floats(of: part)])
        }
        return (x, y)
    }

    private func mean(_ means: Floats, _ places: Places, _ slot: Int) -> (x: Floats, y: Floats) {
        let (start, width) = (slot * (places.x.width + places.y.width), places.x.width)
        return (means[start..<start + width], means[start + width..<start + width + places.y.width])
    }

    /// XᵀY, XᵀX and YᵀY of a set of a group.
    private func products(
        _ moments: Floats, _ places: Places, _ slot: Int, _ set: Int
    ) -> (xy: Floats, xx: Floats, yy: Floats) {
        let start = (slot * places.x.sets + set) * places.moments
        let own = start + places.cross
        return (
            moments[start..<own], moments[own..<own + places.own],
            moments[own + places.own..<start + places.moments]
        )
    }
}
