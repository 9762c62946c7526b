/// Finds the least value of a smooth convex function by limited-memory BFGS with halving steps. The function is asked
/// from outside, so that several minimisations can share the work of one evaluation: compute value and gradient at
/// `point`, call `learn`, until `isDone`. Source: Nocedal and Wright, Numerical Optimization, algorithm 7.4.
package struct LBFGS {
    private struct Pair {
        let step, change: [Double]
        /// Their inner product.
        let curvature: Double
    }

    /// Where the function is asked next; at the end the best point.
    package private(set) var point: [Double]
    package private(set) var isDone = false
    /// The best point so far with its value and gradient; nil before the first answer.
    private var best: (point: [Double], value: Double, gradient: [Double])?
    private var direction: [Double] = []
    private var pairs: [Pair] = []
    private var length = 1.0
    private var halvings = 0
    private static let memory = 10, mostHalvings = 20
    /// The largest slope, and the relative gain of a step, that count as none.
    private static let leastSlope = 1e-6, leastGain = 1e-8

    package init(from start: [Double]) { point = start }

    /// - Parameters: the function's value and gradient at `point`.
    package mutating func learn(value: Double, gradient: [Double]) {
        if let best {
            guard value <= best.value + 1e-4 * length * dot(best.gradient, direction) else { return halve(best.point) }
            remember(difference(point, best.point), difference(gradient, best.gradient))
            if best.value - value <= Self.leastGain * abs(value) { isDone = true }
        }
        best = (point, value, gradient)
        if gradient.allSatisfy({ abs($0) <= Self.leastSlope }) { isDone = true }
        guard !isDone else { return }
        direction = newDirection(gradient)
        halvings = 0
        // Before anything is known of the curvature: a step of length 1.
        length = pairs.isEmpty ? 1 / max(dot(gradient, gradient).squareRoot(), 1) : 1
        move(from: point)
    }

    private mutating func halve(_ start: [Double]) {
        halvings += 1
        guard halvings <= Self.mostHalvings else {
            (point, isDone) = (start, true)
            return
        }
        length /= 2
        move(from: start)
    }

    private mutating func move(from start: [Double]) {
        for index in point.indices { point[index] = start[index] + length * direction[index] }
    }

    private mutating func remember(_ step: [Double], _ change: [Double]) {
        let curvature = dot(step, change)
        // Rounding can make it negative near the end.
        guard curvature > 1e-12 * dot(change, change) else { return }
        pairs.append(Pair(step: step, change: change, curvature: curvature))
        if pairs.count > Self.memory { pairs.removeFirst() }
    }

    /// -H·g with the inverse Hessian that the pairs tell of.
    private func newDirection(_ gradient: [Double]) -> [Double] {
        var result = gradient.map { -$0 }
        var shares: [Double] = []
        for pair in pairs.reversed() {
            let share = dot(pair.step, result) / pair.curvature
            shares.append(share)
            add(-share, pair.change, to: &result)
        }
        if let last = pairs.last {
            let scale = last.curvature / dot(last.change, last.change)
            for index in result.indices { result[index] *= scale }
        }
        for (pair, share) in zip(pairs, shares.reversed()) {
            add(share - dot(pair.change, result) / pair.curvature, pair.step, to: &result)
        }
        return result
    }

    private func dot(_ x: [Double], _ y: [Double]) -> Double {
        var sum = 0.0
        for index in x.indices { sum += x[index] * y[index] }
        return sum
    }

    private func difference(_ x: [Double], _ y: [Double]) -> [Double] { zip(x, y).map { $0 - $1 } }

    private func add(_ factor: Double, _ x: [Double], to y: inout [Double]) {
        for index in y.indices { y[index] += factor * x[index] }
    }
}
