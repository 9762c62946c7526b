import Autodiff
import Kernels

/// a = ⟨K, L⟩, b = ⟨K, K⟩, c = ⟨L, L⟩ of comparisons, one for each set and group, and what follows from them:
/// CKA = a/√(b·c) and the slope and ratio in ∂CKA/∂X = 2/√(b·c)·(L − (a/b)·K)·X.
struct AlignmentSums {
    /// A Double is two floats here, its value and what that loses: sums over ranks are sums of floats.
    static let scratch = 6
    /// Slope and ratio: what backward reads of a comparison.
    static let saved = 2

    let scratch, saved: Floats

    func set(_ index: Int, _ a: Double, _ b: Double, _ c: Double) {
        put(a, at: 6 * index)
        put(b, at: 6 * index + 2)
        put(c, at: 6 * index + 4)
    }

    private func put(_ value: Double, at place: Int) {
        scratch[place] = Float(value)
        scratch[place + 1] = value.isFinite ? Float(value - Double(Float(value))) : 0
    }

    private func sum(at place: Int) -> Double { Double(scratch[place]) + Double(scratch[place + 1]) }

    /// Keeps slope and ratio of comparison `index` for backward.
    /// - Parameter rows: rows of the group.
    /// - Returns: CKA; nil where one side is constant, so that there is none: no gradient flows then.
    func finish(_ index: Int, rows: Int) -> Double? {
        let (a, b, c) = (sum(at: 6 * index), sum(at: 6 * index + 2), sum(at: 6 * index + 4))
        let smallest = 1e-30 * Double(rows) * Double(rows)
        guard a.isFinite, b.isFinite, c.isFinite, b >= smallest, c >= smallest else {
            (saved[2 * index], saved[2 * index + 1]) = (0, 0)
            return nil
        }
        let root = b.squareRoot() * c.squareRoot()
        (saved[2 * index], saved[2 * index + 1]) = (Float(2 / root), Float(a / b))
        return a / root
    }

    /// Writes the output of an alignment: this rank's share of the mean over groups of Σ over sets (1 − CKA), and its
    /// share of comparisons without a value, which count as a distance of 1.
    func write(_ groups: SampleGroups, sets: Int, rows: Int, into output: Floats) {
        var (distance, undefined) = (0.0, 0.0)
        for part in groups.parts.indices {
            let share = Double(groups.parts[part].samples.count) / Double(groups.total)
            for set in 0..<sets {
                let value = finish(groups.slot(part) * sets + set, rows: rows)
                distance += share * (1 - (value ?? 0))
                undefined += value == nil ? share : 0
            }
        }
        (output[0], output[1]) = (Float(distance), Float(undefined))
    }
}
