public import Autodiff
public import Kernels

/// The tokens that an encoder of a masked grid computes, made ready for a comparison of the visible ones alone: these
/// less their mean over the group, the masked ones 0. What is compared afterwards gives rows of zeros no weight, so
/// that the number of visible tokens may change from step to step.
/// x: (B, kept, C), tokens that are not dropped, in order; mask: (B, …) of `TokenMaskState`s; out: as x. Keeps the
/// mask.
public struct CentredVisible: Operation {
    private let groups: SampleGroups

    public init(_ groups: SampleGroups) { self.groups = groups }

    public func callAsFunction(_ x: Tensor, mask: Tensor) -> Tensor { x.apply(self, mask) }

    public var keeps: Kept { .input(1) }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].rank == 3, shapes[0][0] == groups.samples, shapes[1].count % groups.samples == 0,
            shapes[0][1] <= shapes[1].count / groups.samples
        else { throw ShapeError("tokens \(shapes[0]) of a mask \(shapes[1]) for \(groups.samples) samples") }
        return shapes[0]
    }

    /// Sums of the visible tokens of each group with their number behind them, and what the sums need.
    private func sums(_ shape: Shape) -> Int {
        let partials = groups.parts.map {
            WorkerPool.columnSumScratch(rows: $0.samples.count * shape[1], channels: shape.channels)
        }
        return groups.slots * (shape.channels + 1) + (partials.max() ?? 0)
    }

    public func extra(for shapes: [Shape]) -> Extra {
        Extra(scratch: sums(shapes[0]), backwardScratch: shapes[0].count + sums(shapes[0]))
    }

    public func forward(_ at: Workspace) {
        at.output.copy(from: at.inputs[0])
        centre(at.output, at, at.scratch)
    }

    /// To hide and to centre is to project: the gradient is projected in the same way.
    public func backward(_ at: Workspace) {
        let (d, rest) = (
            at.scratch[0..<at.outputGradient.count], at.scratch[at.outputGradient.count..<at.scratch.count]
        )
        d.copy(from: at.outputGradient)
        centre(d, at, rest)
        if let dx = at.inputGradients[0] { at.pool.copy(d, into: dx, adding: at.adds[0]) }
    }

    /// Collective where a group has samples of two ranks.
    private func centre(_ x: Floats, _ at: Workspace, _ scratch: Floats) {
        let (_, T, C) = at.shapes[0].three
        let end = groups.slots * (C + 1)
        let sums = scratch[0..<end]
        sums.fill(0)
        for (index, part) in groups.parts.enumerated() {
            let start = groups.slot(index) * (C + 1)
            let visible = zeroMasked(x, at, of: part)
            sums[start + C] = Float(visible)
            at.pool.columnSums(
                rows(x, at, of: part), rows: part.samples.count * T, channels: C, into: sums[start..<start + C],
                adding: false, scratch: scratch[end..<scratch.count])
        }
        if !groups.isLocal { at.sumOverRanks(sums) }
        for (index, part) in groups.parts.enumerated() {
            let start = groups.slot(index) * (C + 1)
            at.pool.add(
                sums[start..<start + C], times: -1 / max(1, sums[start + C]), toRowsOf: rows(x, at, of: part))
            _ = zeroMasked(x, at, of: part)
        }
    }

    private func rows(_ x: Floats, _ at: Workspace, of part: SampleGroups.Part) -> Floats {
        let sample = at.shapes[0][1] * at.shapes[0][2]
        return x[part.samples.lowerBound * sample..<part.samples.upperBound * sample]
    }

    /// Returns the visible tokens of the part.
    private func zeroMasked(_ x: Floats, _ at: Workspace, of part: SampleGroups.Part) -> Int {
        let (_, T, C) = at.shapes[0].three
        let places = at.shapes[1].count / groups.samples
        var visible = 0
        for sample in part.samples {
            var row = sample * T
            for place in sample * places..<(sample + 1) * places where at.inputs[1][place] != TokenMaskState.dropped {
                if at.inputs[1][place] == TokenMaskState.visible {
                    visible += 1
                } else {
                    x[row * C..<(row + 1) * C].fill(0)
                }
                row += 1
            }
            precondition(row == (sample + 1) * T, "as many tokens as the mask keeps")
        }
        return visible
    }
}
