public import Autodiff
public import Kernels

/// (β + γ)·Σ_r |x_r − e_id(r)|² / (N·D), the sum over samples of a mean over their numbers: β pulls the rows to their
/// codes, γ the codes to their rows. x: (B, N, D); ids: (B, N); codes: (K, D); out: (1). Keeps inputs.
/// Source: arXiv 1711.00937.
public struct CodeLoss: Operation {
    private let pull, push: Float
    /// Buffer of updates: while it holds 0 there are no codes yet, and the loss is 0.
    private let switchedOn: RegisteredBuffer?

    /// - Parameters:
    ///   - pull: β, on the rows.
    ///   - push: γ, on the codes; 0 where they are moved otherwise.
    public init(pull: Double, push: Double = 0, switchedOn: RegisteredBuffer? = nil) {
        (self.pull, self.push, self.switchedOn) = (Float(pull), Float(push), switchedOn)
    }

    public func callAsFunction(_ x: Tensor, _ ids: Tensor, _ codes: Tensor) -> Tensor { x.apply(self, ids, codes) }

    public var buffers: [RegisteredBuffer] { switchedOn.map { [$0] } ?? [] }
    public var keeps: Kept { .inputs }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[1].count == shapes[0].rows, shapes[2].channels == shapes[0].channels else {
            throw ShapeError("numbers \(shapes[1]) of codes \(shapes[2]) for rows \(shapes[0])")
        }
        return [1]
    }

    private func isOff(_ at: Workspace) -> Bool { at.buffers.first.map { $0[0] == 0 } ?? false }

    /// One over the numbers of a sample.
    private func share(_ at: Workspace) -> Float { Float(at.shapes[0][0]) / Float(at.shapes[0].count) }

    public func forward(_ at: Workspace) {
        if isOff(at) { return at.output.fill(0) }
        let (x, ids, codes, D) = (at.inputs[0], at.inputs[1], at.inputs[2], at.shapes[0].channels)
        // In Double and in order: some ten thousand terms.
        var sum = 0.0
        for row in 0..<ids.count {
            let code = Int(ids[row])
            for place in 0..<D {
                let distance = Double(x[row * D + place]) - Double(codes[code * D + place])
                sum += distance * distance
            }
        }
        at.output[0] = Float(sum) * share(at) * (pull + push)
    }

    public func backward(_ at: Workspace) {
        let (x, ids, codes, D) = (at.inputs[0], at.inputs[1], at.inputs[2], at.shapes[0].channels)
        let slope = isOff(at) ? 0 : 2 * share(at) * at.outputGradient[0]
        if let dx = at.inputGradients[0] {
            at.pool.split(ids.count, grain: 256, (x, ids, codes, dx, D, slope * pull, at.adds[0])) { arguments, rows in
                let (x, ids, codes, dx, D, slope, adds) = arguments
                for row in rows {
                    let code = Int(ids[row])
                    for place in 0..<D {
                        let value = slope * (x[row * D + place] - codes[code * D + place])
                        dx[row * D + place] = adds ? dx[row * D + place] + value : value
                    }
                }
            }
        }
        guard let dcodes = at.inputGradients[2] else { return }
        if !at.adds[2] { dcodes.fill(0) }
        for row in 0..<ids.count {
            let code = Int(ids[row])
            for place in 0..<D {
                dcodes[code * D + place] -= slope * push * (x[row * D + place] - codes[code * D + place])
            }
        }
    }
}
