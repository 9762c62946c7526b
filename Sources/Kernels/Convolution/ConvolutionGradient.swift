import CKernels

extension WorkerPool {
    /// Floats of scratch that `convolutionGradient` asks for.
    public static func convolutionGradientScratch(_ product: TapProduct, rows: Int) -> Int {
        GradientCut(product, rows: rows).parts * product.panelFloats(product.taps) + product.inputs * product.run
    }

    /// dweight (+)= Σ over rows r of dy[r]ᵀ·x[table[r, tap]] for every tap; rows add in a fixed order.
    /// x: source rows of `stride` floats; dy: rows of outputs·channelGroups floats.
    /// - Parameter product: one group of taps that covers the table; its results lie row by row.
    public func convolutionGradient(
        _ x: Floats, stride: Int, windows: WindowTable, _ product: TapProduct, dy: Floats, into dweight: Floats,
        adding: Bool, scratch: Floats
    ) {
        precondition(product.groups.count == 1 && product.factor == 1, "the gradient reads all taps of a row")
        let width = product.outputs * product.channelGroups
        let rows = dy.count / width
        precondition(rows % windows.rows == 0 && dy.count == rows * width, "rows of dy")
        precondition(x.count >= rows / windows.rows * windows.sources * stride, "too few source rows")
        precondition(dweight.count == product.channelGroups * product.weightFloats, "weight of another size")
        let cut = GradientCut(product, rows: rows)
        let (size, run) = (product.panelFloats(product.taps), product.inputs * product.run)
        precondition(scratch.count >= cut.parts * size + run, "scratch too small")
        for channelGroup in 0..<product.channelGroups {
            let part = GradientRows(
                kernels: kernels, x: x.base + channelGroup * product.inputs, stride: stride, windows: windows,
                channels: run, taps: windows.taps, dy: dy.base + channelGroup * product.outputs, dyStride: width,
                outputs: product.outputs, panels: scratch.base, size: size, cut: cut, rows: rows)
            split(part.tasks, grain: 1, part) { part, tasks in
                for task in tasks { part.run(task) }
            }
            if cut.parts > 1 {
                addPartials(
                    scratch.base + size, chunks: cut.parts - 1, stride: size, into: scratch.base, size, adding: true)
            }
            let first = dweight.base + channelGroup * product.weightFloats
            unpack(scratch.base, product, into: first, adding: adding)
        }
    }

    private func unpack(
        _ panels: UnsafeMutablePointer<Float>, _ product: TapProduct, into weight: UnsafeMutablePointer<Float>,
        adding: Bool
    ) {
        let width = kernels.pointee.convolve.panel
        split(
            (product.outputs + width - 1) / width, grain: 1,
            (
                kernels: kernels, weight: weight, shape: product.weight(product.groups[0]), outputs: product.outputs,
                size: product.inputs * product.taps * width, width: width, panels: panels, adding: adding
            )
        ) { job, range in
            for panel in range {
                let first = panel * job.width
                job.kernels.pointee.convolve.unpack(
                    job.panels + panel * job.size, job.shape, first, min(job.width, job.outputs - first), job.weight,
                    job.adding ? 1 : 0)
            }
        }
    }
}

/// How a weight gradient is cut: a small one over rows into parts that are added afterwards, a large one over its own
/// panels and taps. Fixed by the extents alone.
private struct GradientCut {
    /// A partial gradient up to this size stays in the second-level cache.
    private static let smallFloats = 1 << 17

    let parts: Int
    let rowsPerPart: Int

    init(_ product: TapProduct, rows: Int) {
        let isSmall = product.panelFloats(product.taps) <= Self.smallFloats
        rowsPerPart = isSmall ? max(512, (rows + 15) / 16) : max(rows, 1)
        parts = max(1, (rows + rowsPerPart - 1) / rowsPerPart)
    }
}

private struct GradientRows {
    let kernels: UnsafePointer<ck_table>
    let x: UnsafeMutablePointer<Float>
    let stride: Int
    let windows: WindowTable
    let channels, taps: Int
    let dy: UnsafeMutablePointer<Float>
    let dyStride, outputs: Int
    let panels: UnsafeMutablePointer<Float>
    let size: Int
    let cut: GradientCut
    let rows: Int

    private var panel: Int { kernels.pointee.convolve.panel }
    private var panelCount: Int { (outputs + panel - 1) / panel }

    /// One task a part, or one for each panel and tap.
    var tasks: Int { cut.parts > 1 ? cut.parts : panelCount * taps }

    func run(_ task: Int) {
        if cut.parts > 1 {
            let target = panels + task * size
            target.update(repeating: 0, count: size)
            let first = task * cut.rowsPerPart
            add(to: target, panels: 0..<panelCount, taps: 0..<taps, rows: first..<min(rows, first + cut.rowsPerPart))
        } else {
            let (number, tap) = (task / taps, task % taps)
            let first = panels + (number * taps + tap) * channels * panel
            first.update(repeating: 0, count: channels * panel)
            add(to: panels, panels: number..<number + 1, taps: tap..<tap + 1, rows: 0..<rows)
        }
    }

    /// Goes through the repetitions of the table that the rows touch.
    private func add(
        to target: UnsafeMutablePointer<Float>, panels: Range<Int>, taps range: Range<Int>, rows: Range<Int>
    ) {
        var row = rows.lowerBound
        while row < rows.upperBound {
            let (source, first) = windows.place(row)
            let last = min(windows.rows, first + rows.upperBound - row)
            let part = ck_windows(
                x: x + source * stride, stride: stride, table: windows.entries.base, table_stride: taps, taps: taps,
                channels: channels, zeros: x)
            kernels.pointee.convolve.gradient(
                part, dy + (row - first) * dyStride, dyStride, outputs, target, panels.lowerBound, panels.upperBound,
                range.lowerBound, range.upperBound, first, last)
            row += last - first
        }
    }
}
