public import Autodiff
public import Kernels

/// Where the time of a step goes: operations by kind, then what follows backward.
public struct OperationShares {
    public struct Row: Sendable, Equatable {
        public let kind: String
        /// Milliseconds of one step.
        public let forward, backward: Double
        /// Share of the whole step, 0...1.
        public let share: Double
        /// Rate of the multiply-adds that the kind declares; 0 for kinds that move memory.
        public let flopsPerSecond: Double
    }

    /// Largest first.
    public let rows: [Row]
    public let secondsPerStep: Double

    /// - Parameters:
    ///   - after: the timings when the measured steps had run, `before` those at their start.
    ///   - secondsPerStep: the mean over those steps.
    ///   - rest: seconds a step outside the plan, by name.
    public init(
        before: [OperationTiming], after: [OperationTiming], steps: Int, secondsPerStep: Double,
        rest: [(name: String, seconds: Double)]
    ) {
        struct Total {
            var forward = 0.0
            var backward = 0.0
            var flops = 0.0
        }
        var totals: [String: Total] = [:]
        for (earlier, later) in zip(before, after) {
            totals[later.kind, default: Total()].forward += later.forwardSeconds - earlier.forwardSeconds
            totals[later.kind, default: Total()].backward += later.backwardSeconds - earlier.backwardSeconds
            totals[later.kind, default: Total()].flops += Double((later.flops + later.backwardFlops) * steps)
        }
        var rows = totals.map { kind, total in
            Row(
                kind: kind, forward: total.forward / Double(steps) * 1000,
                backward: total.backward / Double(steps) * 1000,
                share: (total.forward + total.backward) / Double(steps) / secondsPerStep,
                flopsPerSecond: total.flops / max(total.forward + total.backward, 1e-9))
        }
        for (name, seconds) in rest {
            rows.append(
                Row(
                    kind: name, forward: 0, backward: seconds * 1000, share: seconds / secondsPerStep,
                    flopsPerSecond: 0))
        }
        rows.append(
            Row(
                kind: "everything else", forward: 0,
                backward: max(0, secondsPerStep * 1000 - rows.reduce(0) { $0 + $1.forward + $1.backward }),
                share: max(0, 1 - rows.reduce(0) { $0 + $1.share }), flopsPerSecond: 0))
        self.rows = rows.sorted { ($0.share, $1.kind) > ($1.share, $0.kind) }
        self.secondsPerStep = secondsPerStep
    }
}

/// How many float32 operations a second this machine's matrix products reach: the measure for everything else.
public struct GEMMThroughput: Sendable, Equatable {
    /// GEMM throughput of the measured pool, all its threads together.
    public let flopsPerSecond: Double
    public let threads: Int

    /// Rows, depth and columns: the products of a ViT-S and a ViT-B block at some hundred tokens.
    private static let extents = [(1568, 384, 1536), (1568, 768, 768), (3072, 768, 3072)]

    /// The best of several sizes.
    /// - Parameter seconds: time for the measurement, about.
    public init(measuring pool: WorkerPool, seconds: Double = 0.5) {
        var best = 0.0
        for (rows, depth, columns) in Self.extents {
            let (a, b, c) = (Floats(zeros: rows * depth), Floats(zeros: depth * columns), Floats(zeros: rows * columns))
            a.fill(0.5)
            b.fill(0.25)
            let (left, right) = (Matrix(a, rows: rows, columns: depth), Matrix(b, rows: depth, columns: columns))
            let product = Matrix(c, rows: rows, columns: columns)
            pool.multiply(left, right, into: product)
            let end = MonotonicTime.now + seconds / Double(Self.extents.count)
            repeat {
                let start = MonotonicTime.now
                pool.multiply(left, right, into: product)
                best = max(best, Double(2 * rows * depth * columns) / max(MonotonicTime.now - start, 1e-9))
            } while MonotonicTime.now < end
        }
        flopsPerSecond = best
        threads = pool.threads
    }
}
