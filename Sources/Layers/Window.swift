import Kernels

/// The square window of a convolution or a pooling.
public struct Window: Sendable, Hashable {
    public let kernel, stride, padding, dilation: Int

    public init(_ kernel: Int, stride: Int = 1, padding: Int = 0, dilation: Int = 1) {
        precondition(kernel > 0 && stride > 0 && padding >= 0 && dilation > 0, "a window has an extent")
        (self.kernel, self.stride, self.padding, self.dilation) = (kernel, stride, padding, dilation)
    }

    /// A window whose output has the extents of its input over the stride, as in the published nets.
    public static func same(_ kernel: Int, stride: Int = 1) -> Window {
        Window(kernel, stride: stride, padding: (kernel - 1) / 2)
    }

    public var taps: Int { kernel * kernel }

    /// True where a map of `side` gives one of side/stride.
    func divides(_ side: Int) -> Bool {
        side % stride == 0
            && (side + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1 == side / stride
            && side + 2 * padding > dilation * (kernel - 1)
    }

    /// The places of the taps of an output position, seen from stride times that position.
    var reads: [WindowReach.Tap] {
        (0..<taps).map {
            .init(down: $0 / kernel * dilation - padding, right: $0 % kernel * dilation - padding)
        }
    }

    /// The outputs that read an input position, seen from that position over the stride: one group for each position in
    /// a stride × stride block, whose taps fall on whole outputs.
    var readers: (taps: [WindowReach.Tap], groups: [TapProduct.Group]) {
        // With a stride of 1 the relation is symmetric: the same table serves, its taps from the end.
        if stride == 1 { return (reads, [.init(columns: 0..<taps, down: 0, right: 0, taps: (0..<taps).reversed())]) }
        var readers: [WindowReach.Tap] = []
        var groups: [TapProduct.Group] = []
        for down in 0..<stride {
            for right in 0..<stride {
                let found = (0..<taps).filter {
                    (down + padding - $0 / kernel * dilation) % stride == 0
                        && (right + padding - $0 % kernel * dilation) % stride == 0
                }
                let start = readers.count
                readers += found.map {
                    .init(
                        down: (down + padding - $0 / kernel * dilation) / stride,
                        right: (right + padding - $0 % kernel * dilation) / stride)
                }
                groups.append(.init(columns: start..<readers.count, down: down, right: right, taps: found))
            }
        }
        return (readers, groups)
    }
}
