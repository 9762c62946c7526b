public import Autodiff
public import Kernels

/// Predicted patches as pixels, for images: (B, N, s·s·C) in the order (i, j, c) to the order (c, i, j).
/// With a second input, the true patches, each predicted patch is first given their mean and standard deviation back:
/// the inverse of `NormalizedPatches`. No gradient.
public struct RestoredPixels: Operation {
    private let channels: Int

    public init(channels: Int) { self.channels = channels }

    public func callAsFunction(_ predicted: Tensor, like patches: Tensor? = nil) -> Tensor {
        if let patches { predicted.apply(self, patches) } else { predicted.apply(self) }
    }

    public var keeps: Kept { .nothing }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].channels % channels == 0, shapes.count == 1 || shapes[0] == shapes[1] else {
            throw ShapeError("patches \(shapes) of \(channels) channels do not fit")
        }
        return shapes[0]
    }

    public func forward(_ at: Workspace) {
        let (rows, P) = (at.shapes[0].rows, at.shapes[0].channels)
        let patches = at.inputs.count > 1 ? at.inputs[1] : nil
        at.pool.split(rows, grain: 16, (at.inputs[0], patches, at.output, P, channels)) { arguments, rows in
            let (predicted, patches, y, P, channels) = arguments
            for row in rows {
                let range = row * P..<(row + 1) * P
                let (mean, std) = patches?[range].patchStatistics ?? (0, 1)
                let (from, to, pixels) = (predicted[range], y[range], P / channels)
                for pixel in 0..<pixels {
                    for channel in 0..<channels {
                        let value = Double(from[pixel * channels + channel]) * std + mean
                        to[channel * pixels + pixel] = Float(value)
                    }
                }
            }
        }
    }

    public func backward(_ at: Workspace) { preconditionFailure("images are looked at, not trained") }
}
