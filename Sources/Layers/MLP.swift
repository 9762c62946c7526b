public import Autodiff
import Kernels

/// fc2(drop(GELU(fc1(x)))), (…, C) to (…, C). Names follow timm.
public struct MLP {
    private let fc1: Linear
    private let activation: BiasGELU
    private let fc2: Linear
    private let dropout: Dropout

    /// - Parameters:
    ///   - initializer: initializer of `fc1.weight`.
    ///   - outputInit: initializer of `fc2.weight`, which some models scale down with depth.
    ///   - dropout: share of hidden values dropped in training, 0..<1.
    public init(
        _ scope: Scope, _ width: Int, hidden: Int, init initializer: Initializer, outputInit: Initializer,
        dropout: Double = 0
    ) {
        fc1 = Linear(weight: scope["fc1"].parameter("weight", [hidden, width], initializer), bias: .none)
        activation = BiasGELU(scope["fc1"].parameter("bias", [hidden], .zeros))
        fc2 = Linear(scope["fc2"], hidden, width, init: outputInit)
        self.dropout = Dropout(dropout)
    }

    public func callAsFunction(_ x: Tensor) -> Tensor { fc2(dropout(activation(fc1(x)))) }
}
