import Autodiff
import Kernels

/// The groups of samples within which alignment is measured, and what this rank holds of them. A batch over all ranks
/// is cut into consecutive groups, whatever the number of ranks, so that the result does not depend on it.
public struct SampleGroups: Sendable, Equatable {
    /// The samples of one group on this rank.
    struct Part: Sendable, Equatable {
        let group: Int
        /// Places among the samples of this rank.
        let samples: Range<Int>
    }

    /// Samples of this rank.
    public let samples: Int
    public let rank, ranks: Int
    /// Samples of a group.
    public let size: Int
    let parts: [Part]

    /// - Parameter size: samples of a group; it divides the batch of all ranks. A larger one means that batch.
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

/// How the features of a batch become the rows that are compared. Source: arXiv 2410.20035 and its code.
public enum Comparison: Sendable {
    /// A sample is a row, all its features its columns.
    case flatten
    /// Every position of every sample is a row.
    case samples
    /// Every position for itself, its samples the rows; the distances of all positions are added.
    case tokenwise
}

/// The rows of one side: features of a batch (B, …, C), grouped.
struct ComparedRows: Sendable {
    let groups: SampleGroups
    /// Rows of a sample.
    let perSample: Int
    /// Comparisons that lie side by side in a row, and the columns of each.
    let sets, columns: Int

    init(_ shape: Shape, _ form: Comparison, _ groups: SampleGroups) {
        let features = shape.count / groups.samples
        self.groups = groups
        switch form {
        case .flatten: (perSample, sets, columns) = (1, 1, features)
        case .samples: (perSample, sets, columns) = (features / shape.channels, 1, shape.channels)
        case .tokenwise: (perSample, sets, columns) = (1, features / shape.channels, shape.channels)
        }
    }

    /// Floats of a row.
    var width: Int { sets * columns }
    /// Rows of this rank, of a group, of all ranks.
    var rows: Int { groups.samples * perSample }
    var groupRows: Int { groups.size * perSample }
    var totalRows: Int { groups.total * perSample }

    /// The floats of a part of this rank's rows.
    func floats(of part: SampleGroups.Part) -> Range<Int> {
        part.samples.lowerBound * perSample * width..<part.samples.upperBound * perSample * width
    }

    /// One set of some rows that lie without gaps.
    func matrix(_ floats: Floats, set: Int) -> Matrix {
        let rows = floats.count / width
        return Matrix(floats[set * columns..<floats.count], rows: rows, columns: columns, stride: width)
    }

    /// Every group has whole samples on both sides.
    static func check(_ shapes: [Shape], _ samples: Int) throws(ShapeError) {
        for shape in shapes where shape.count % samples != 0 || shape.count / samples % shape.channels != 0 {
            throw ShapeError("\(shape) does not divide into \(samples) samples")
        }
    }
}

extension Workspace {
    /// Brings the values of all ranks together: every rank hands in its part of `whole`.
    func gather(_ own: Floats, into whole: Floats, at start: Int) {
        whole.fill(0)
        whole[start..<start + own.count].copy(from: own)
        sumOverRanks(whole)
    }
}
