/// A stretch of one tensor that one thread updates.
public struct UpdatePiece: BitwiseCopyable, Sendable {
    public let start: Int
    public let count: Int
    public let tensor: Int
}

/// The tensors of one group, cut at tensor boundaries and every 16,384 elements: the cuts, and with them the order of
/// every sum, depend on the tensors alone. Holds the space for the sums and for a kernel's numbers, so that an update
/// allocates nothing.
public struct UpdatePieces: Sendable {
    /// Elements of a piece: with two moments its memory (256 KiB) stays in the second-level cache between the passes.
    public static let pieceElements = 16_384

    let list: Buffer<UpdatePiece>
    let sums: Buffer<Double>
    /// The numbers of the kernel that runs.
    let coefficients = Floats(zeros: 32)
    public let tensors: Int
    /// Elements that the buffers must hold at least.
    let extent: Int

    /// - Parameter tensors: where each tensor lies in the buffers; what lies between them is never touched.
    public init(_ tensors: [Range<Int>]) {
        var pieces: [UpdatePiece] = []
        for (tensor, range) in tensors.enumerated() {
            precondition(range.lowerBound >= 0, "a tensor begins before its buffer")
            for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.pieceElements) {
                let count = min(Self.pieceElements, range.upperBound - start)
                pieces.append(UpdatePiece(start: start, count: count, tensor: tensor))
            }
        }
        list = Buffer(pieces)
        sums = Buffer(zeros: 2 * pieces.count)
        self.tensors = tensors.count
        extent = tensors.map(\.upperBound).max() ?? 0
    }

    /// Adds the sums of each tensor's pieces in order: two numbers a tensor.
    func gather(into norms: Buffer<Double>) {
        precondition(norms.count == 2 * tensors, "two norms a tensor")
        norms.fill(0)
        for piece in 0..<list.count {
            let tensor = list[piece].tensor
            norms[2 * tensor] += sums[2 * piece]
            norms[2 * tensor + 1] += sums[2 * piece + 1]
        }
    }
}
