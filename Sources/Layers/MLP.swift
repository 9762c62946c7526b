public import Autodiff
import Kernels

/// fc2(GELU(fc1(x))), (…, C) to (…, C). Names follow timm.
public struct MLP {
    private let fc1: Linear
    private let activation: BiasGELU
    private let fc2: Linear

    /// - Parameters:
    ///   - start: of `fc1.weight`.
    ///   - outputStart: of `fc2.weight`, which some models scale down with depth.
    public init(_ scope: Scope, _ width: Int, hidden: Int, start: Initializer, outputStart: Initializer) {
        fc1 = Linear(weight: scope["fc1"].parameter("weight", [hidden, width], start), bias: .none)
        activation = BiasGELU(scope["fc1"].parameter("bias", [hidden], .zeros))
        fc2 = Linear(scope["fc2"], hidden, width, start: outputStart)
    }

    public func callAsFunction(_ x: Tensor) -> Tensor { fc2(activation(fc1(x))) }
}
