public import Autodiff
public import Kernels
import Layers
public import Models

/// Forward and backward passes of a convnet's encoder on synthetic images, over dense feature maps or over visible cells only.
public final class EncoderBench {
    /// What some passes took.
    public struct Result: Sendable {
        /// Share of hidden cells; nil over dense feature maps.
        public let ratio: Double?
        /// Best of the passes; other work on the machine only adds.
        public let seconds: Double
        /// Values, gradients of values and scratch.
        public let arenaBytes: Int
        /// Forward and backward.
        public let flops: Int
        /// Seconds and multiply-adds times two of each kind of operation over all passes.
        public let kinds: [(kind: String, seconds: Double, flops: Double)]
    }

    private let graph = Graph()
    private let plan: Plan
    private let images, mask: Tensor
    private let inputs: (images: Floats, mask: Floats)
    private let ratio: Double?
    private var best = Double.infinity
    private var passes = 0

    /// - Parameters:
    ///   - convnet: declares the encoder for images of `side` pixels.
    ///   - ratio: share of hidden cells; nil computes dense feature maps.
    public init(
        side: Int, batch: Int, ratio: Double?, pool: WorkerPool, convnet: (Scope) throws -> any HierarchicalEncoder
    ) throws {
        let convnet = try convnet(graph.scope)
        let grid = side / convnet.grid.stride
        images = graph.input("images", [batch, side, side, 3])
        mask = graph.input("mask", [batch, grid, grid])
        let visible = Int((Double(grid * grid) * (1 - (ratio ?? 0))).rounded(.toNearestOrEven))
        let cells =
            ratio == nil ? ActiveCells(all: batch, in: graph) : ActiveCells(mask: mask, visible: max(visible, 1))
        let last = convnet.maps(images, cells: cells).last
        guard let loss = last?.rows.apply(Total()) else { preconditionFailure("an encoder has a map") }
        let store = ParameterStore(graph, minimising: loss, seed: 0, pool: pool)
        var options = PlanOptions()
        options.measuresTime = true
        plan = try Plan(graph, minimising: loss, store: store, pool: pool, options: options)
        self.ratio = ratio
        inputs = (Floats(zeros: images.shape.count), Floats(zeros: mask.shape.count))
        for image in 0..<batch {
            var random = RandomStream(seed: 0, purpose: .procedural, sample: UInt64(image))
            let area = side * side * 3
            for at in 0..<area { inputs.images[image * area + at] = Float(random.uniform(-1.7...1.7)) }
            for cell in random.permutation(grid * grid).dropFirst(max(visible, 1)) {
                inputs.mask[image * grid * grid + cell] = 1
            }
        }
    }

    /// One forward and backward pass.
    public func pass() {
        plan.set(images, inputs.images)
        if ratio != nil { plan.set(mask, inputs.mask) }
        let start = MonotonicTime.now
        plan.forward()
        plan.backward()
        best = min(best, MonotonicTime.now - start)
        passes += 1
    }

    public var result: Result {
        var kinds: [String: (seconds: Double, flops: Double)] = [:]
        for timing in plan.timings {
            kinds[timing.kind, default: (0, 0)].seconds += timing.forwardSeconds + timing.backwardSeconds
            kinds[timing.kind, default: (0, 0)].flops += Double((timing.flops + timing.backwardFlops) * passes)
        }
        return Result(
            ratio: ratio, seconds: best, arenaBytes: plan.report.arenaBytes, flops: plan.report.flops,
            kinds: kinds.map { ($0, $1.seconds, $1.flops) }.sorted { ($0.seconds, $0.kind) > ($1.seconds, $1.kind) })
    }
}

/// Σ x, the plainest loss.
private struct Total: Operation {
    var keeps: Kept { .nothing }
    func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { [1] }
    func forward(_ at: Workspace) { at.output[0] = Float(at.pool.sum(at.inputs[0])) }
    func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        if !at.adds[0] { dx.fill(0) }
        for index in 0..<dx.count { dx[index] += at.outputGradient[0] }
    }
}
