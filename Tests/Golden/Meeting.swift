import Kernels

/// Ranks that are threads: each brings its numbers, the last one to come adds them in the order of ranks.
final class Meeting: Sendable {
    private struct Round {
        var number = 0
        var brought: [Int: [Float]] = [:]
        var sum: [Float] = []
    }
    private let ranks: Int
    private let round = Monitor(Round())

    init(_ ranks: Int) { self.ranks = ranks }

    func sum(_ floats: Floats, rank: Int) {
        let number = round.update { round in
            round.brought[rank] = floats.array
            guard round.brought.count == ranks else { return round.number + 1 }
            round.sum = (0..<floats.count).map { at in
                (0..<ranks).reduce(Float(0)) { $0 + (round.brought[$1]?[at] ?? 0) }
            }
            round.brought = [:]
            round.number += 1
            return round.number
        }
        floats.copy(from: round.update(when: { $0.number >= number }) { $0.sum })
    }
}
