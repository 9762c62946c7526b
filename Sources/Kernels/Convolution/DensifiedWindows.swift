import CKernels

/// The windows of dense feature maps that are known at their active rows only: one vector takes all other places.
public struct DensifiedWindows: Sendable {
    /// Positions of the taps, for each position of a dense feature map.
    let windows: WindowTable
    /// The active row at each position, or the mark of a masked one.
    let places: Indices

    public init(_ windows: WindowTable, places: Indices) {
        precondition(windows.rows == windows.sources && places.count % windows.sources == 0, "dense feature maps")
        (self.windows, self.places) = (windows, places)
    }

    var rows: Int { places.count }

    fileprivate func part(_ repetition: Int, outputs: Int) -> ck_densified {
        ck_densified(
            table: UnsafePointer(windows.entries.base),
            places: UnsafePointer(places.base + repetition * windows.sources), taps: windows.taps, outputs: outputs)
    }
}

extension WorkerPool {
    /// y[p] = bias + Σ over taps of products[row, tap], or of fill[tap] where a tap meets a masked position.
    /// products: (rows, taps, outputs), the product of each active row with the weight of each tap; fill: (taps,
    /// outputs), those of the vector at masked positions; y: (positions, outputs).
    public func gatherProducts(
        _ products: Floats, fill: Floats, _ map: DensifiedWindows, bias: Floats?, into y: Floats
    ) {
        let taps = map.windows.taps
        let outputs = fill.count / taps
        precondition(fill.count == taps * outputs && y.count == map.rows * outputs, "positions of another width")
        precondition((bias?.count ?? outputs) == outputs && products.count % fill.count == 0, "bias or products")
        let pieces = WindowPieces(map.rows, map.windows)
        split(
            pieces.count, grain: 1,
            (
                pieces: pieces, kernels: kernels, map: map, products: products.base, fill: fill.base,
                bias: bias?.base, y: y.base, outputs: outputs
            )
        ) { job, range in
            for piece in range {
                let part = job.pieces[piece]
                job.kernels.pointee.window.densify(
                    job.map.part(part.repetition, outputs: job.outputs), job.products, job.fill, job.bias,
                    job.y + part.repetition * job.map.windows.rows * job.outputs, part.rows.lowerBound,
                    part.rows.upperBound)
            }
        }
    }

    /// Floats of scratch that `maskedSums` asks for.
    public static func maskedSumsScratch(rows: Int, taps: Int, outputs: Int) -> Int {
        partialFloats(rows, width: taps * outputs)
    }

    /// sums[tap] = Σ of dy over the positions whose tap meets a masked one: the gradient of `fill`. Rows add in a fixed
    /// order.
    public func maskedSums(_ dy: Floats, _ map: DensifiedWindows, into sums: Floats, scratch: Floats) {
        let outputs = sums.count / map.windows.taps
        precondition(dy.count == map.rows * outputs, "positions of another width")
        let cut = rowReduction(map.rows)
        precondition(scratch.count >= cut.chunks * sums.count, "scratch too small")
        split(
            map.rows, grain: cut.grain,
            (
                kernels: kernels, map: map, dy: dy.base, partials: scratch.base, outputs: outputs, size: sums.count,
                grain: cut.grain
            )
        ) { job, range in
            let partial = job.partials + range.lowerBound / job.grain * job.size
            partial.update(repeating: 0, count: job.size)
            var row = range.lowerBound
            while row < range.upperBound {
                let (repetition, first) = row.quotientAndRemainder(dividingBy: job.map.windows.rows)
                let last = min(job.map.windows.rows, first + range.upperBound - row)
                job.kernels.pointee.window.masked_sums(
                    job.map.part(repetition, outputs: job.outputs),
                    job.dy + repetition * job.map.windows.rows * job.outputs, partial, first, last)
                row += last - first
            }
        }
        addPartials(
            scratch.base, chunks: cut.chunks, stride: sums.count, into: sums.base, sums.count, adding: false)
    }
}
