public import Autodiff
public import Kernels

/// A loss with the distances from a guide: task + α·ranks·weight·Σ distances. The gradient is divided by the weights of
/// all ranks afterwards, those of the ranks are equal: what remains is α times the gradient of the distances.
/// Inputs: the loss's sum (1), its weight (1), α (1), and what alignments give, (2) each; out: (1). Keeps weight and α.
public struct GuidedLoss: Operation {
    private let ranks: Int

    public init(ranks: Int) { self.ranks = ranks }

    public func callAsFunction(_ task: Tensor, weight: Tensor, alpha: Tensor, _ distances: [Tensor]) -> Tensor {
        task.graph.apply(self, to: [task, weight, alpha] + distances)
    }

    public var keeps: Kept { .input(1).union(.input(2)) }
    public var passesGradientTo: Int? { 0 }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes.dropFirst(3).allSatisfy({ $0 == [2] }) else {
            throw ShapeError("alignments give two numbers each")
        }
        return [1]
    }

    private func factor(_ at: Workspace) -> Float { at.inputs[2][0] * Float(ranks) * at.inputs[1][0] }

    public func forward(_ at: Workspace) {
        var sum = 0.0
        for distance in 3..<at.inputs.count { sum += Double(at.inputs[distance][0]) }
        at.output[0] = at.inputs[0][0] + factor(at) * Float(sum)
    }

    public func backward(_ at: Workspace) {
        let slope = at.outputGradient[0] * factor(at)
        for distance in 3..<at.inputGradients.count {
            guard let gradient = at.inputGradients[distance] else { continue }
            if !at.adds[distance] { gradient.fill(0) }
            gradient[0] += slope
        }
    }
}
