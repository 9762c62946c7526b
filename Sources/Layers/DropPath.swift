public import Autodiff
import Kernels

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
