public import Autodiff
import Kernels

/// Values dropped at random in training, the others divided by the share that stays: (B, …, C) to the same.
/// Keeps nothing: backward draws again from the keys of the samples, which the trainer writes at each step.
public struct Dropout {
    private let dropRate: Double

    /// - Parameter dropRate: share of dropped values, 0..<1; 0 records nothing.
    public init(_ dropRate: Double) {
        precondition((0..<1).contains(dropRate), "a drop rate lies in 0..<1")
        self.dropRate = dropRate
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        dropRate > 0 ? x.apply(DroppedValues(dropRate: dropRate, site: x.graph.dropout(samples: x.shape[0]))) : x
    }
}

private struct DroppedValues: Operation {
    let dropRate: Double
    let site: DropoutSite

    var indices: [IndexInput] { [site.keys] }
    var keeps: Kept { .nothing }

    func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { shapes[0] }

    func forward(_ at: Workspace) {
        guard at.dropsOut else { return at.pool.copy(at.inputs[0], into: at.output) }
        at.pool.dropout(at.inputs[0], into: at.output, draw(at), channels: at.shapes[0].channels)
    }

    func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        at.pool.dropout(
            at.outputGradient, into: dx, adding: at.adds[0], draw(at), channels: at.shapes[0].channels)
    }

    private func draw(_ at: Workspace) -> DropoutDraw {
        DropoutDraw(dropRate: dropRate, site: site.number, keys: at.indices[0])
    }
}

/// Stochastic depth per sample: a branch is kept with probability 1 − drop rate and then divided by it.
/// The layer asks the graph for one keep factor per sample, which the trainer writes at each step; a drop rate of 0
/// asks for none.
public struct DropPath {
    private let dropRate: Double

    /// - Parameter dropRate: probability of dropping a branch, 0..<1.
    public init(_ dropRate: Double) {
        precondition(dropRate >= 0 && dropRate < 1, "a drop rate lies in 0..<1")
        self.dropRate = dropRate
    }

    /// The keep factors for a batch like `x`, (B); nil when every branch is kept.
    public func keep(for x: Tensor) -> Tensor? {
        dropRate > 0 ? x.graph.dropPath(dropRate: dropRate, samples: x.shape[0]) : nil
    }

    /// Drop rates of `count` blocks, growing linearly from 0 to `last`.
    public static func rates(upTo last: Double, count: Int) -> [Double] {
        (0..<count).map { count > 1 ? last * Double($0) / Double(count - 1) : 0 }
    }
}
