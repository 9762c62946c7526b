import Autodiff
import Kernels
import Layers

/// A parameter as a tensor: an input whose gradient is compared.
struct TrainedInput: Operation {
    let parameter: Parameter
    init(_ scope: Scope, _ name: String, _ shape: Shape) { parameter = scope.parameter(name, shape, .zeros) }
    var parameters: [Parameter] { [parameter] }
    var keeps: Kept { .nothing }
    func outputShape(of inputs: [Shape]) throws(ShapeError) -> Shape { parameter.shape }
    func forward(_ at: Workspace) { at.output.copy(from: at.values[0]) }
    func backward(_ at: Workspace) {
        guard let gradient = at.gradients[0] else { return }
        at.pool.copy(at.outputGradient, into: gradient, adding: at.addsToParameters[0])
    }
}
