import Autodiff
import Kernels

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
