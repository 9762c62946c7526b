import Autodiff
import Kernels

/// A convolution from the fine rows of a window to its coarse ones and back, with the tables of both ways.
struct WindowProducts: Sendable {
    /// The product from fine to coarse: all taps of an output at once.
    let forward: TapProduct
    /// The product from coarse to fine: the taps that fall on each position of a block.
    let backward: TapProduct
    let reads, readers: HeldTable

    /// - Parameters:
    ///   - weight: [coarse channels, fine channels / groups, k, k].
    ///   - tile: positions of the fine map along a side of a cell.
    ///   - first: the operation's input that holds the first table.
    init(
        _ window: Window, weight: Parameter, groups: Int, tile: Int, reads: WindowSource, readers: WindowSource,
        first: Int
    ) {
        let (coarse, fine, taps) = (weight.shape[0] / groups, weight.shape[1], window.taps)
        let side = tile / window.stride
        forward = TapProduct(
            groups: [.init(columns: 0..<taps, down: 0, right: 0, taps: Array(0..<taps))], side: side, factor: 1,
            inputs: fine, outputs: coarse, channelGroups: groups, outputStride: fine * taps, inputStride: taps)
        backward = TapProduct(
            groups: window.readers.groups, side: side, factor: window.stride, inputs: coarse, outputs: fine,
            channelGroups: groups, outputStride: taps, inputStride: fine * taps)
        self.reads = reads.held(by: first)
        self.readers = readers.held(by: window.stride == 1 ? first : first + 1)
    }

    func tensors(_ reads: WindowSource, _ readers: WindowSource) -> [Tensor] {
        (self.reads.input == self.readers.input ? [reads.tensor] : [reads.tensor, readers.tensor]).compactMap(\.self)
    }
}

/// y = Σ over taps of x[table]·Wᵀ + b without a copy of the windows, or the transposed map. (B, n, C) to (B, m, D).
/// Inputs: x and, where the mask decides, one or two tables. Keeps its inputs.
struct WindowConvolution: Operation {
    let weight: Parameter
    let bias: Parameter?
    let products: WindowProducts
    let shape: Shape
    /// Runs the map from coarse rows to fine ones.
    var isTransposed = false

    private var inputs: Int {
        isTransposed ? weight.shape[0] : products.forward.inputs * products.forward.channelGroups
    }

    var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }
    var keeps: Kept { .inputs }
    var featureKind: IntermediateFeature.Kind? { .layer }

    func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].channels == inputs else {
            throw ShapeError("input \(shapes[0]) has last extent \(shapes[0].channels), weight wants \(inputs)")
        }
        return shape
    }

    func extra(for shapes: [Shape]) -> Extra {
        let coarse = isTransposed ? shapes[0].rows : shape.rows
        return Extra(
            scratch: (isTransposed ? products.backward : products.forward).scratch,
            backwardScratch: max(
                products.forward.scratch, products.backward.scratch,
                WorkerPool.convolutionGradientScratch(products.forward, rows: coarse),
                WorkerPool.columnSumScratch(rows: shape.rows, channels: shape.channels)))
    }

    func flops(for shapes: [Shape]) -> Int {
        2 * (isTransposed ? shapes[0].rows : shape.rows) * weight.shape.count
    }

    func forward(_ at: Workspace) {
        map(at, at.inputs[0], isTransposed, bias: bias.map { _ in at.values[1] }, into: at.output, adding: false)
    }

    func backward(_ at: Workspace) {
        if let dx = at.inputGradients[0] {
            map(at, at.outputGradient, !isTransposed, bias: nil, into: dx, adding: at.adds[0])
        }
        if let dw = at.gradients[0] {
            let (fine, coarse) = isTransposed ? (at.outputGradient, at.inputs[0]) : (at.inputs[0], at.outputGradient)
            at.pool.convolutionGradient(
                fine, stride: products.forward.inputs * products.forward.channelGroups,
                windows: products.reads.table(at), products.forward, dy: coarse, into: dw,
                adding: at.addsToParameters[0], scratch: at.scratch)
        }
        if bias != nil, let db = at.gradients[1] {
            at.pool.columnSums(
                at.outputGradient, rows: shape.rows, channels: shape.channels, into: db,
                adding: at.addsToParameters[1], scratch: at.scratch)
        }
    }

    /// The direction of the map: from fine to coarse rows, or back.
    private func map(_ at: Workspace, _ x: Floats, _ refines: Bool, bias: Floats?, into y: Floats, adding: Bool) {
        let product = refines ? products.backward : products.forward
        at.pool.convolve(
            x, stride: product.inputs * product.channelGroups,
            windows: (refines ? products.readers : products.reads).table(at), product, weight: at.values[0],
            bias: bias, into: y, adding: adding, scratch: at.scratch)
    }
}
