import Autodiff
import Kernels

/// Images (B, H, W, C) with a border of zeros, the pixels of masked cells 0: (B, H + 2p, W + 2p, C). No gradient.
struct PaddedImages: Operation {
    let padding: Int
    let isMasked: Bool

    var keeps: Kept { .nothing }

    func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].rank == 4, shapes[0][1] == shapes[0][2] else {
            throw ShapeError("input \(shapes[0]) is not (batch, side, side, channels)")
        }
        let side = shapes[0][1] + 2 * padding
        return [shapes[0][0], side, side, shapes[0][3]]
    }

    func forward(_ at: Workspace) {
        at.pool.padImages(
            at.inputs[0], mask: isMasked ? at.inputs[1] : nil, grid: isMasked ? at.shapes[1][1] : 1,
            side: at.shapes[0][1], channels: at.shapes[0][3], padding: padding, into: at.output)
    }

    func backward(_ at: Workspace) {
        precondition(at.inputGradients[0] == nil, "images are not trained")
    }
}

/// The first convolution over padded images: every line of a window is one run of k·C floats. Keeps its inputs.
struct ImageConvolution: Operation {
    private let weight: Parameter
    private let bias: Parameter?
    private let product: TapProduct
    private let lines: HeldTable
    private let shape: Shape

    init(weight: Parameter, bias: Parameter?, window: Window, tile: Int, lines: HeldTable, shape: Shape) {
        let (channels, taps) = (weight.shape[1], window.taps)
        (self.weight, self.bias, self.lines, self.shape) = (weight, bias, lines, shape)
        product = TapProduct(
            groups: [.init(columns: 0..<window.kernel, down: 0, right: 0, taps: Array(0..<taps))], side: tile,
            factor: 1, inputs: channels, outputs: weight.shape[0], outputStride: channels * taps, inputStride: taps,
            run: window.kernel)
    }

    var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }
    var keeps: Kept { .inputs }
    var featureKind: IntermediateFeature.Kind? { .layer }

    func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].channels == product.inputs else {
            throw ShapeError("images \(shapes[0]) have \(shapes[0].channels) channels, weight wants \(product.inputs)")
        }
        return shape
    }

    func extra(for shapes: [Shape]) -> Extra {
        Extra(
            scratch: product.scratch,
            backwardScratch: max(
                WorkerPool.convolutionGradientScratch(product, rows: shape.rows),
                WorkerPool.columnSumScratch(rows: shape.rows, channels: shape.channels)))
    }

    func flops(for shapes: [Shape]) -> Int { 2 * shape.rows * weight.shape.count }

    func forward(_ at: Workspace) {
        at.pool.convolve(
            at.inputs[0], stride: product.inputs, windows: lines.table(at), product, weight: at.values[0],
            bias: bias.map { _ in at.values[1] }, into: at.output, adding: false, scratch: at.scratch)
    }

    func backward(_ at: Workspace) {
        if let dw = at.gradients[0] {
            at.pool.convolutionGradient(
                at.inputs[0], stride: product.inputs, windows: lines.table(at), product, dy: at.outputGradient,
                into: dw, adding: at.addsToParameters[0], scratch: at.scratch)
        }
        if bias != nil, let db = at.gradients[1] {
            at.pool.columnSums(
                at.outputGradient, rows: shape.rows, channels: shape.channels, into: db,
                adding: at.addsToParameters[1], scratch: at.scratch)
        }
    }
}
