import Kernels
import Testing

/// The levels that this processor runs.
let levels = InstructionLevel.allCases.filter { $0 <= .detected }

/// Rows and channels that are no multiple of any register width, and one pair that fills several chunks.
let extents = [(1, 1), (7, 1), (1, 7), (7, 33), (33, 7), (70, 33), (300, 129)]

/// Normal-like floats, a pure function of `seed`.
func draws(_ count: Int, seed: UInt64, spread: Double = 1) -> Floats {
    var stream = RandomStream(seed: seed, purpose: .procedural)
    return Floats(
        (0..<count).map { _ in
            Float(spread * (stream.uniform() + stream.uniform() + stream.uniform() + stream.uniform() - 2) * 1.7)
        })
}

func doubles(_ floats: Floats) -> [Double] { floats.array.map(Double.init) }

/// What `compute` gives on one thread; three threads must give the same bits.
func result(at level: InstructionLevel, _ compute: (WorkerPool) -> [Floats]) -> [[Float]] {
    let one = compute(WorkerPool(threads: 1, level: level)).map(\.array)
    let three = compute(WorkerPool(threads: 3, level: level)).map(\.array)
    for (left, right) in zip(one, three) {
        #expect(left.map(\.bitPattern) == right.map(\.bitPattern), "one and three threads differ")
    }
    return one
}

/// Every element within `tolerance` of the plain version, relative to its largest element or to 1.
func expectClose(
    _ found: [Float], _ plain: [Double], tolerance: Double, _ what: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(found.count == plain.count, sourceLocation: sourceLocation)
    let size = max(1, plain.map(abs).max() ?? 0)
    let worst =
        zip(found, plain).map { pair in
            let difference = abs(Double(pair.0) - pair.1)
            return difference.isNaN ? .infinity : difference
        }.max() ?? 0
    #expect(worst <= tolerance * size, "\(what) differs by \(worst)", sourceLocation: sourceLocation)
}

/// The gradient of `loss` at `x` by central differences in Double: about nine digits for smooth functions.
func numericGradient(_ x: [Double], _ loss: ([Double]) -> Double) -> [Double] {
    let step = 1e-5
    return x.indices.map { index in
        var moved = x
        moved[index] = x[index] + step
        let above = loss(moved)
        moved[index] = x[index] - step
        return (above - loss(moved)) / (2 * step)
    }
}

/// Σ a·b, the scalar whose gradient is the output gradient `b`.
func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

func sum(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map { $0 + $1 } }
