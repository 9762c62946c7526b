import Autodiff
import Kernels

/// y = x ⊙ w, elementwise.
struct Times: Operation {
    let weight: Parameter
    var parameters: [Parameter] { [weight] }
    var keeps: Kept { .inputs }

    func outputShape(of inputs: [Shape]) throws(ShapeError) -> Shape {
        guard inputs[0] == weight.shape else { throw ShapeError("weight wants \(weight.shape)") }
        return inputs[0]
    }

    func forward(_ at: Workspace) {
        for i in 0..<at.output.count { at.output[i] = at.inputs[0][i] * at.values[0][i] }
    }

    func backward(_ at: Workspace) {
        for i in 0..<at.outputGradient.count {
            let dy = at.outputGradient[i]
            if let dx = at.inputGradients[0] { dx[i] = dy * at.values[0][i] + (at.adds[0] ? dx[i] : 0) }
            if let dw = at.gradients[0] { dw[i] = dy * at.inputs[0][i] + (at.addsToParameters[0] ? dw[i] : 0) }
        }
    }
}

/// y = x² , cheap; keeps its input.
struct Square: Operation {
    var keeps: Kept { .inputs }
    var isCheap: Bool { true }
    func outputShape(of inputs: [Shape]) throws(ShapeError) -> Shape { inputs[0] }
    func forward(_ at: Workspace) { for i in 0..<at.output.count { at.output[i] = at.inputs[0][i] * at.inputs[0][i] } }
    func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        for i in 0..<dx.count { dx[i] = 2 * at.inputs[0][i] * at.outputGradient[i] + (at.adds[0] ? dx[i] : 0) }
    }
}

/// z = x + y, with the gradient of x passed on.
struct Plus: Operation {
    var keeps: Kept { .nothing }
    var passesGradientTo: Int? { 0 }
    func outputShape(of inputs: [Shape]) throws(ShapeError) -> Shape {
        guard inputs[0] == inputs[1] else { throw ShapeError("the summands differ") }
        return inputs[0]
    }
    func forward(_ at: Workspace) { for i in 0..<at.output.count { at.output[i] = at.inputs[0][i] + at.inputs[1][i] } }
    func backward(_ at: Workspace) {
        guard let dy = at.inputGradients[1] else { return }
        at.pool.copy(at.outputGradient, into: dy, adding: at.adds[1])
    }
}

/// The sum of all numbers.
struct Total: Operation {
    var keeps: Kept { .nothing }
    func outputShape(of inputs: [Shape]) throws(ShapeError) -> Shape { [1] }
    func forward(_ at: Workspace) {
        var total: Float = 0
        for i in 0..<at.inputs[0].count { total += at.inputs[0][i] }
        at.output[0] = total
    }
    func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        for i in 0..<dx.count { dx[i] = at.outputGradient[0] + (at.adds[0] ? dx[i] : 0) }
    }
}
