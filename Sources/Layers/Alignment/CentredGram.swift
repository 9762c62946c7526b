public import Autodiff
public import Kernels

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
