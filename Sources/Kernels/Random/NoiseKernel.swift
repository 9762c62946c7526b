import CKernels

/// The places of the elements of parameters in a buffer, cut every 16,384 elements. Holds the space for the sums, so
/// that adding noise allocates nothing.
public struct NoiseSites: Sendable {
    /// A parameter or a slice of one.
    public struct Site: Sendable {
        let range: Range<Int>
        let first: Int
        let parameter: UInt32

        /// - Parameters:
        ///   - range: part of the buffer.
        ///   - first: position of the slice's first element in the parameter.
        ///   - parameter: the parameter's number.
        public init(_ range: Range<Int>, first: Int = 0, parameter: UInt32) {
            (self.range, self.first, self.parameter) = (range, first, parameter)
        }
    }

    fileprivate struct Piece: BitwiseCopyable, Sendable {
        let start, count, first: Int
        let parameter: UInt32
    }

    fileprivate let pieces: Buffer<Piece>
    fileprivate let sums: Buffer<Double>
    /// Elements that the buffer must hold at least.
    fileprivate let extent: Int

    public init(_ sites: [Site]) {
        var pieces: [Piece] = []
        for site in sites {
            precondition(site.range.lowerBound >= 0 && site.first >= 0, "a slice begins before its buffer")
            for offset in stride(from: 0, to: site.range.count, by: UpdatePieces.pieceElements) {
                pieces.append(
                    Piece(
                        start: site.range.lowerBound + offset,
                        count: min(UpdatePieces.pieceElements, site.range.count - offset), first: site.first + offset,
                        parameter: site.parameter))
            }
        }
        self.pieces = Buffer(pieces)
        sums = Buffer(zeros: pieces.count)
        extent = sites.map(\.range.upperBound).max() ?? 0
    }
}

extension WorkerPool {
    /// g += std·z with standard normal z, a pure function of (key, parameter, step, element).
    /// - Returns: the sum of the squares of what was added.
    public func addNoise(
        to g: Floats, _ sites: NoiseSites, key: SIMD2<UInt32>, step: UInt32, std: Double
    ) -> Double {
        precondition(g.count >= sites.extent, "slices end at \(sites.extent), the buffer at \(g.count)")
        let draw = ck_draw(key: (key.x, key.y), parameter: 0, step: step)
        split(sites.pieces.count, grain: 1, (kernels, g, sites, draw, std)) { at, range in
            for index in range {
                let piece = at.2.pieces[index]
                var draw = at.3
                draw.parameter = piece.parameter
                at.2.sums[index] = at.0.pointee.noise.add(
                    draw, at.4, at.1.pointer + piece.start, piece.first, piece.count)
            }
        }
        var sum = 0.0
        for index in 0..<sites.pieces.count { sum += sites.sums[index] }
        return sum
    }
}
