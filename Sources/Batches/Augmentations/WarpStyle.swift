import Kernels

/// How the geometric operations of a policy fill in pixels.
public struct WarpStyle: Equatable, Sendable {
    /// One, or several of which each operation draws one.
    public let interpolations: [Interpolation]
    /// Red, green, blue of what comes from outside the image.
    public let fill: SIMD3<UInt8>

    public init(_ interpolations: [Interpolation], fill: SIMD3<UInt8>) {
        precondition(!interpolations.isEmpty, "at least one interpolation")
        self.interpolations = interpolations
        self.fill = fill
    }

    func draw(_ random: inout RandomStream) -> Interpolation {
        interpolations.count == 1 ? interpolations[0] : interpolations[random.below(interpolations.count)]
    }
}
