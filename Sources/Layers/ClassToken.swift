public import Autodiff
public import Kernels

/// Puts one learned token before the tokens of every sample: (B, T, C) to (B, T + 1, C). Keeps nothing.
public struct ClassToken: Operation {
    private let token: Parameter

    /// Declares `cls_token` [1, 1, C].
    public init(_ scope: Scope, _ channels: Int, init initializer: Initializer) {
        token = scope.parameter("cls_token", [1, 1, channels], initializer)
    }

    public func callAsFunction(_ x: Tensor) -> Tensor { x.apply(self) }

    public var parameters: [Parameter] { [token] }
    public var keeps: Kept { .nothing }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].rank == 3, shapes[0].channels == token.shape.count else {
            throw ShapeError("input \(shapes[0]) is not (batch, tokens, \(token.shape.count))")
        }
        let (B, T, C) = shapes[0].three
        return [B, T + 1, C]
    }

    public func forward(_ at: Workspace) {
        let (B, T, C) = at.shapes[0].three
        at.pool.split(B, grain: 1, (at.inputs[0], at.values[0], at.output, T * C, C)) { arguments, range in
            let (x, token, y, tokens, channels) = arguments
            for sample in range {
                let start = sample * (tokens + channels)
                y[start..<start + channels].copy(from: token)
                y[start + channels..<start + channels + tokens].copy(from: x[sample * tokens..<(sample + 1) * tokens])
            }
        }
    }

    public func backward(_ at: Workspace) {
        let (B, T, C) = at.shapes[0].three
        if let dx = at.inputGradients[0] {
            let adds = at.adds[0]
            at.pool.split(B, grain: 1, (dx, at.outputGradient, T * C, C, adds)) { arguments, range in
                let (dx, dy, tokens, channels, adds) = arguments
                for sample in range {
                    let start = sample * (tokens + channels) + channels
                    dx[sample * tokens..<(sample + 1) * tokens].take(dy[start..<start + tokens], adding: adds)
                }
            }
        }
        guard let dToken = at.gradients[0] else { return }
        for sample in 0..<B {
            let start = sample * (T + 1) * C
            dToken.take(at.outputGradient[start..<start + C], adding: at.addsToParameters[0] || sample > 0)
        }
    }
}

/// The tokens of every sample that lie in one range: (B, T, C) to (B, range, C). Keeps nothing.
/// Drops a class token (1 ..< T) or reads it out (0 ..< 1).
public struct TokenRange: Operation {
    private let range: Range<Int>

    public init(_ range: Range<Int>) { self.range = range }

    public func callAsFunction(_ x: Tensor) -> Tensor { x.apply(self) }

    public var keeps: Kept { .nothing }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].rank == 3, range.upperBound <= shapes[0][1] else {
            throw ShapeError("input \(shapes[0]) has no tokens \(range)")
        }
        return [shapes[0][0], range.count, shapes[0][2]]
    }

    public func forward(_ at: Workspace) {
        let (B, T, C) = at.shapes[0].three
        at.pool.split(B, grain: 1, (at.inputs[0], at.output, T * C, range.lowerBound * C, range.count * C)) {
            arguments, samples in
            let (x, y, whole, skipped, taken) = arguments
            for sample in samples {
                let start = sample * whole + skipped
                y[sample * taken..<(sample + 1) * taken].copy(from: x[start..<start + taken])
            }
        }
    }

    public func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        let (B, T, C) = at.shapes[0].three
        at.pool.split(B, grain: 1, (dx, at.outputGradient, T * C, range.lowerBound * C, range.count * C, at.adds[0])) {
            arguments, samples in
            let (dx, dy, whole, skipped, taken, adds) = arguments
            for sample in samples {
                if !adds { dx[sample * whole..<(sample + 1) * whole].fill(0) }
                let start = sample * whole + skipped
                dx[start..<start + taken].take(dy[sample * taken..<(sample + 1) * taken], adding: adds)
            }
        }
    }
}

extension Buffer<Float> {
    /// Stores `other` here, or adds it to what is here. On the caller's thread: for a chunk of a split.
    func take(_ other: Floats, adding: Bool) {
        if adding {
            for index in 0..<count { self[index] += other[index] }
        } else {
            copy(from: other)
        }
    }
}
