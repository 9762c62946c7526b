import CKernels

/// The products of a convolution: the source rows that its windows read, times a weight.
///
/// The weight is an array over (output, input, tap) with any strides, so that the same product serves forward, the
/// gradient of the input and transposed convolutions. Taps come in groups: a group's results go to rows of its own, on
/// a grid that is `factor` times as fine as the table's.
public struct TapProduct: Sendable {
    /// One group of taps: columns of the table, and where the results go.
    public struct Group: Sendable {
        let columns: Range<Int>
        let down, right: Int
        /// The numbers of the taps in the weight.
        let taps: Indices

        /// - Parameter taps: for each column, or for each tap of each column's run.
        public init(columns: Range<Int>, down: Int, right: Int, taps: [Int]) {
            (self.columns, self.down, self.right) = (columns, down, right)
            self.taps = Indices(taps.map { Int32($0) })
        }
    }

    public let groups: [Group]
    /// Rows of the table along a line of the grid, and how much finer the results' grid is.
    public let side, factor: Int
    /// Channels of one group.
    public let inputs, outputs: Int
    /// Groups of channels that do not mix.
    public let channelGroups: Int
    public let outputStride, inputStride: Int
    /// Taps that a column of the table reads at once: more than one where neighbours lie side by side in the source.
    public let run: Int
    /// Floats of the weight of one group of channels.
    var weightFloats: Int { max(outputs * outputStride, inputs * inputStride) }

    public init(
        groups: [Group], side: Int, factor: Int, inputs: Int, outputs: Int, channelGroups: Int = 1, outputStride: Int,
        inputStride: Int, run: Int = 1
    ) {
        precondition(run == 1 || channelGroups == 1, "runs hold all channels")
        precondition(groups.allSatisfy { $0.taps.count == $0.columns.count * run }, "a tap for each column and step")
        (self.groups, self.side, self.factor) = (groups, side, factor)
        (self.inputs, self.outputs, self.channelGroups) = (inputs, outputs, channelGroups)
        (self.outputStride, self.inputStride, self.run) = (outputStride, inputStride, run)
    }

    var taps: Int { groups.reduce(0) { $0 + $1.taps.count } }
    var mostTaps: Int { groups.reduce(0) { max($0, $1.taps.count) } }
    /// Floats of the packed weight of one group of channels, at the widest panel of any level.
    func panelFloats(_ taps: Int) -> Int { (outputs + 31) / 32 * 32 * inputs * taps }

    /// Floats of scratch that `convolve` asks for.
    public var scratch: Int { panelFloats(mostTaps) + inputs * run }

    func weight(_ group: Group) -> ck_weight {
        ck_weight(
            output_stride: outputStride, input_stride: inputStride, inputs: inputs,
            taps: UnsafePointer(group.taps.base), tap_count: group.taps.count)
    }
}

extension WorkerPool {
    /// y[to(r)] (+)= bias + Σ over taps of x[table[r, tap]]·weightᵀ.
    /// x: source rows of `stride` floats; y: rows of outputs·channelGroups floats, factor² times those of the windows.
    /// - Parameter stride: floats between source rows; less than a row where runs overlap.
    public func convolve(
        _ x: Floats, stride: Int, windows: WindowTable, _ product: TapProduct, weight: Floats, bias: Floats?,
        into y: Floats, adding: Bool, scratch: Floats
    ) {
        let width = product.outputs * product.channelGroups
        let rows = y.count / width / product.factor / product.factor
        precondition(rows % windows.rows == 0 && y.count == rows * product.factor * product.factor * width, "rows of y")
        precondition((bias?.count ?? width) == width && scratch.count >= product.scratch, "bias or scratch")
        precondition(x.count >= rows / windows.rows * windows.sources * stride, "too few source rows")
        precondition(weight.count == product.channelGroups * product.weightFloats, "weight of another size")
        let run = product.inputs * product.run
        let zeros = scratch[scratch.count - run..<scratch.count]
        zeros.fill(0)
        for channelGroup in 0..<product.channelGroups {
            for group in product.groups {
                let panels = scratch.base
                pack(weight.base + channelGroup * product.weightFloats, product, group, into: panels)
                let part = ProductRows(
                    kernels: kernels, x: x.base + channelGroup * product.inputs, stride: stride, windows: windows,
                    columns: group.columns, channels: run, taps: group.columns.count, zeros: zeros.base,
                    panels: panels, bias: bias.map { $0.base + channelGroup * product.outputs }, adding: adding,
                    y: y.base + channelGroup * product.outputs, yStride: width, outputs: product.outputs,
                    spread: ck_spread(
                        side: product.side, factor: product.factor, down: group.down, right: group.right),
                    rows: rows)
                split(part.tasks, grain: 1, part) { part, tasks in
                    for task in tasks { part.run(task) }
                }
            }
        }
    }

    private func pack(
        _ weight: UnsafeMutablePointer<Float>, _ product: TapProduct, _ group: TapProduct.Group,
        into panels: UnsafeMutablePointer<Float>
    ) {
        let width = kernels.pointee.convolve.panel
        split(
            (product.outputs + width - 1) / width, grain: 1,
            (
                kernels: kernels, weight: weight, shape: product.weight(group), outputs: product.outputs,
                size: product.inputs * group.taps.count * width, width: width, panels: panels
            )
        ) { job, range in
            for panel in range {
                let first = panel * job.width
                job.kernels.pointee.convolve.pack(
                    job.weight, job.shape, first, min(job.width, job.outputs - first), job.panels + panel * job.size)
            }
        }
    }
}

/// One group of taps over all rows, cut into tasks by size.
private struct ProductRows {
    let kernels: UnsafePointer<ck_table>
    let x: UnsafeMutablePointer<Float>
    let stride: Int
    let windows: WindowTable
    let columns: Range<Int>
    let channels, taps: Int
    let zeros, panels: UnsafeMutablePointer<Float>
    let bias: UnsafeMutablePointer<Float>?
    let adding: Bool
    let y: UnsafeMutablePointer<Float>
    let yStride, outputs: Int
    let spread: ck_spread
    let rows: Int

    /// Rows of a task: their part of the source stays in the second-level cache while the panels pass by.
    private var rowsPerTask: Int { min(192, windows.rows) }
    private var tasksPerTable: Int { (windows.rows + rowsPerTask - 1) / rowsPerTask }
    private var rowTasks: Int { rows / windows.rows * tasksPerTable }
    private var panelCount: Int { (outputs + panel - 1) / panel }
    private var panel: Int { kernels.pointee.convolve.panel }
    /// Few rows: the panels are cut too.
    private var panelsPerTask: Int { max(1, panelCount / max(1, 32 / max(rowTasks, 1))) }
    private var panelTasks: Int { (panelCount + panelsPerTask - 1) / panelsPerTask }

    var tasks: Int { rowTasks * panelTasks }

    func run(_ task: Int) {
        let rowTask = task / panelTasks
        let (repetition, part) = (rowTask / tasksPerTable, rowTask % tasksPerTable)
        let first = part * rowsPerTask
        let last = min(windows.rows, first + rowsPerTask)
        let source = ck_windows(
            x: x + repetition * windows.sources * stride, stride: stride,
            table: windows.entries.base + columns.lowerBound, table_stride: windows.taps, taps: taps,
            channels: channels, zeros: zeros)
        let target = y + repetition * windows.rows * spread.factor * spread.factor * yStride
        let firstPanel = task % panelTasks * panelsPerTask
        for number in firstPanel..<min(panelCount, firstPanel + panelsPerTask) {
            let output = number * panel
            kernels.pointee.convolve.convolve(
                source, panels + number * taps * channels * panel, bias.map { $0 + output }, adding ? 1 : 0,
                target + output, yStride, min(panel, outputs - output), spread, first, last)
        }
    }
}
