import Autodiff
import Kernels

/// A convolution over dense feature maps in which one learned vector stands at every masked position, from active rows:
/// (B, n, C) to (B, side², D), stride 1. The dense map never exists: products with the weight of each tap are taken
/// once for each active row and once for the vector, and each position adds up those that its taps meet.
/// Inputs: x, the row at each position, the positions around each row. Keeps its inputs.
struct DensifiedConvolution: Operation {
    private let weight, token: Parameter
    private let bias: Parameter?
    /// The taps of each position of dense feature maps.
    private let whole: WindowTable
    private let places, around: HeldTable
    /// The map from an active row to the products with all taps, a row each.
    private let spread: TapProduct
    /// The inverse map, from the positions around a row to the row; and from the products of the vector to the vector.
    private let gather, gatherToken: TapProduct
    /// Active rows one by one, the vector alone, and its products side by side.
    private let rows, one, line: WindowTable
    private let shape: Shape

    static func apply(
        _ x: GridRows, weight: Parameter, bias: Parameter?, window: Window, filling token: Parameter
    ) -> GridRows {
        let cells = x.cells
        guard cells.mask != nil, let whole = cells.whole.reads(window, side: x.side).fixed else {
            preconditionFailure("a dense feature map has no masked position")
        }
        let (places, around) = (cells.places(side: x.side), cells.around(window, side: x.side))
        let operation = DensifiedConvolution(
            weight: weight, token: token, bias: bias, whole: whole, places: places.held(by: 1),
            around: around.held(by: 2), window: window,
            rows: x.rows.shape.rank == 3 ? x.rows.shape[1] : x.rows.shape[0],
            shape: [cells.batch, x.side * x.side, weight.shape[0]])
        let rows = cells.graph.apply(operation, to: [x.rows, places.tensor, around.tensor].compactMap(\.self))
        return GridRows(rows: rows, side: x.side, cells: cells.whole)
    }

    /// - Parameter rows: active rows of an image, or of the batch where images differ.
    private init(
        weight: Parameter, token: Parameter, bias: Parameter?, whole: WindowTable, places: HeldTable,
        around: HeldTable, window: Window, rows: Int, shape: Shape
    ) {
        let (outputs, inputs, taps, kernel) = (weight.shape[0], weight.shape[1], window.taps, window.kernel)
        (self.weight, self.token, self.bias, self.shape) = (weight, token, bias, shape)
        (self.whole, self.places, self.around) = (whole, places, around)
        // A row of products is a square of the window's side: each tap goes to its place in it.
        spread = TapProduct(
            groups: (0..<taps).map { .init(columns: 0..<1, down: $0 / kernel, right: $0 % kernel, taps: [$0]) },
            side: 1, factor: kernel, inputs: inputs, outputs: outputs, outputStride: inputs * taps, inputStride: taps)
        func gathering(_ order: [Int]) -> TapProduct {
            TapProduct(
                groups: [.init(columns: 0..<taps, down: 0, right: 0, taps: order)], side: 1, factor: 1,
                inputs: outputs, outputs: inputs, outputStride: taps, inputStride: inputs * taps)
        }
        gather = gathering((0..<taps).reversed())
        gatherToken = gathering(Array(0..<taps))
        func counting(_ rows: Int, _ taps: Int) -> WindowTable {
            WindowTable(
                entries: Indices((0..<rows * taps).map { Int32($0) }), taps: taps, rows: rows, sources: rows * taps)
        }
        (self.rows, one, line) = (counting(rows, 1), counting(1, 1), counting(1, taps))
    }

    var parameters: [Parameter] { [weight, token] + (bias.map { [$0] } ?? []) }
    var keeps: Kept { .inputs }
    private var taps: Int { whole.taps }
    private var outputs: Int { weight.shape[0] }
    private var inputs: Int { weight.shape[1] }

    func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].channels == inputs, token.shape.count == inputs else {
            throw ShapeError(
                "input \(shapes[0]) has last extent \(shapes[0].channels), weight wants \(inputs), "
                    + "token has \(token.shape.count)")
        }
        return shape
    }

    /// Forward: the products, those of the token, work. Backward: the gradient of the latter, work.
    func extra(for shapes: [Shape]) -> Extra {
        let size = taps * outputs
        return Extra(
            scratch: (shapes[0].rows + 1) * size + spread.scratch,
            backwardScratch: size
                + max(
                    gather.scratch, WorkerPool.convolutionGradientScratch(gather, rows: shapes[0].rows),
                    WorkerPool.convolutionGradientScratch(gatherToken, rows: 1),
                    WorkerPool.maskedSumsScratch(rows: shape.rows, taps: taps, outputs: outputs),
                    WorkerPool.columnSumScratch(rows: shape.rows, channels: outputs)))
    }

    func flops(for shapes: [Shape]) -> Int { 2 * shapes[0].rows * weight.shape.count }

    private func map(_ at: Workspace) -> DensifiedWindows { DensifiedWindows(whole, places: places.table(at).entries) }

    func forward(_ at: Workspace) {
        let size = taps * outputs
        let end = at.shapes[0].rows * size
        let (products, fill) = (at.scratch[0..<end], at.scratch[end..<end + size])
        let work = at.scratch[end + size..<at.scratch.count]
        multiply(at, at.inputs[0], rows, into: products, work)
        multiply(at, at.values[1], one, into: fill, work)
        at.pool.gatherProducts(
            products, fill: fill, map(at), bias: bias.map { _ in at.values[2] }, into: at.output)
    }

    private func multiply(_ at: Workspace, _ x: Floats, _ rows: WindowTable, into y: Floats, _ work: Floats) {
        at.pool.convolve(
            x, stride: inputs, windows: rows, spread, weight: at.values[0], bias: nil, into: y, adding: false,
            scratch: work)
    }

    func backward(_ at: Workspace) {
        let dy = at.outputGradient
        let (fill, work) = (at.scratch[0..<taps * outputs], at.scratch[taps * outputs..<at.scratch.count])
        if let dx = at.inputGradients[0] {
            at.pool.convolve(
                dy, stride: outputs, windows: around.table(at), gather, weight: at.values[0], bias: nil, into: dx,
                adding: at.adds[0], scratch: work)
        }
        at.pool.maskedSums(dy, map(at), into: fill, scratch: work)
        if let dw = at.gradients[0] {
            at.pool.convolutionGradient(
                dy, stride: outputs, windows: around.table(at), gather, dy: at.inputs[0], into: dw,
                adding: at.addsToParameters[0], scratch: work)
            at.pool.convolutionGradient(
                fill, stride: outputs, windows: line, gatherToken, dy: at.values[1], into: dw, adding: true,
                scratch: work)
        }
        if let dtoken = at.gradients[1] {
            at.pool.convolve(
                fill, stride: outputs, windows: line, gatherToken, weight: at.values[0], bias: nil, into: dtoken,
                adding: at.addsToParameters[1], scratch: work)
        }
        if bias != nil, let db = at.gradients[2] {
            at.pool.columnSums(
                dy, rows: shape.rows, channels: outputs, into: db, adding: at.addsToParameters[2], scratch: work)
        }
    }
}
