/// The groups of samples within which alignment is measured, and what this rank holds of them. A batch over all ranks is
/// cut into consecutive groups, whatever the number of ranks, so that the result does not depend on it.
public struct SampleGroups: Sendable, Equatable {
    /// The samples of one group on this rank.
    struct Part: Sendable, Equatable {
        let group: Int
        /// Among the samples of this rank.
        let samples: Range<Int>
    }

    /// Samples of this rank.
    public let samples: Int
    public let rank, ranks: Int
    /// Samples of a group.
    public let size: Int
    let parts: [Part]

    /// - Parameter size: of a group; it divides the batch of all ranks. A larger one means that batch.
    public init(samples: Int, rank: Int = 0, ranks: Int = 1, size: Int = .max) {
        let (total, first) = (samples * ranks, rank * samples)
        let size = min(size, total)
        precondition((0..<ranks).contains(rank) && size > 0 && total % size == 0, "whole groups of a batch")
        (self.samples, self.rank, self.ranks, self.size) = (samples, rank, ranks, size)
        parts = (first / size...(first + samples - 1) / size).map { group in
            Part(
                group: group,
                samples: max(0, group * size - first)..<min(samples, (group + 1) * size - first))
        }
    }

    public var total: Int { samples * ranks }
    public var count: Int { total / size }
    /// No group has samples of two ranks: nothing has to travel.
    public var isLocal: Bool { ranks == 1 || samples % size == 0 }

    /// Groups whose numbers this rank keeps: its own, or all where they are added over ranks.
    var slots: Int { isLocal ? parts.count : count }

    func slot(_ part: Int) -> Int { isLocal ? part : parts[part].group }
}
