import Autodiff
import Kernels

/// One window of weights per channel, stride 1: y[c] = Σ over taps of x[table][c]·w[c, tap] + b[c]. (B, n, C) to the
/// same. Inputs: x and, where the mask decides, the table. Keeps its inputs.
struct DepthwiseConvolution: Operation {
    let weight: Parameter
    let bias: Parameter?
    let reads: HeldTable
    private var channels: Int { weight.shape[0] }

    var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }
    var keeps: Kept { .inputs }
    var featureKind: IntermediateFeature.Kind? { .layer }

    func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].channels == channels else {
            throw ShapeError("input \(shapes[0]) has last extent \(shapes[0].channels), weight wants \(channels)")
        }
        return shapes[0]
    }

    func extra(for shapes: [Shape]) -> Extra {
        let scratch = WorkerPool.depthwiseScratch(taps: reads.taps, channels: channels)
        return Extra(
            scratch: scratch,
            backwardScratch: max(
                scratch,
                WorkerPool.depthwiseGradientScratch(rows: shapes[0].rows, taps: reads.taps, channels: channels),
                WorkerPool.columnSumScratch(rows: shapes[0].rows, channels: channels)))
    }

    func flops(for shapes: [Shape]) -> Int { 2 * shapes[0].count * reads.taps }

    func forward(_ at: Workspace) {
        at.pool.depthwise(
            at.inputs[0], windows: reads.table(at), weight: at.values[0], bias: bias.map { _ in at.values[1] },
            reversed: false, into: at.output, adding: false, channels: channels, scratch: at.scratch)
    }

    func backward(_ at: Workspace) {
        if let dx = at.inputGradients[0] {
            at.pool.depthwise(
                at.outputGradient, windows: reads.table(at), weight: at.values[0], bias: nil, reversed: true,
                into: dx, adding: at.adds[0], channels: channels, scratch: at.scratch)
        }
        if let dw = at.gradients[0] {
            at.pool.depthwiseGradient(
                at.inputs[0], windows: reads.table(at), dy: at.outputGradient, into: dw,
                adding: at.addsToParameters[0], channels: channels, scratch: at.scratch)
        }
        if bias != nil, let db = at.gradients[1] {
            at.pool.columnSums(
                at.outputGradient, rows: at.shapes[0].rows, channels: channels, into: db,
                adding: at.addsToParameters[1], scratch: at.scratch)
        }
    }
}
