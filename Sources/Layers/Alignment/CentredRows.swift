import Autodiff
import Kernels

/// The rows of one side with the mean of their group taken off: those of the groups that this rank has a part in.
struct CentredRows {
    let compared: ComparedRows
    let values: Floats

    /// Floats of scratch: the rows, a mean, and the sums behind it.
    static func scratch(_ compared: ComparedRows) -> Int {
        count(compared) + compared.width
            + WorkerPool.columnSumScratch(rows: compared.groupRows, channels: compared.width)
    }

    private static func count(_ compared: ComparedRows) -> Int {
        (compared.groups.isLocal ? compared.rows : compared.totalRows) * compared.width
    }

    /// Collective where a group has samples of two ranks.
    init(_ x: Floats, _ compared: ComparedRows, _ at: Workspace, scratch: Floats) {
        self.compared = compared
        let (groups, width) = (compared.groups, compared.width)
        let end = Self.count(compared)
        values = scratch[0..<end]
        if groups.isLocal { values.copy(from: x) } else { at.gather(x, into: values, at: groups.rank * x.count) }
        let (mean, sums) = (scratch[end..<end + width], scratch[end + width..<scratch.count])
        for part in groups.parts {
            let group = group(of: part)
            at.pool.columnSums(
                group, rows: compared.groupRows, channels: width, into: mean, adding: false, scratch: sums)
            at.pool.add(mean, times: -1 / Float(compared.groupRows), toRowsOf: group)
        }
    }

    /// All rows of the part's group.
    func group(of part: SampleGroups.Part) -> Floats {
        let start =
            (compared.groups.isLocal ? part.samples.lowerBound * compared.perSample : part.group * compared.groupRows)
            * compared.width
        return values[start..<start + compared.groupRows * compared.width]
    }

    /// This rank's rows of the part's group.
    private func own(_ part: SampleGroups.Part) -> Floats {
        let before = compared.groups.isLocal ? 0 : compared.groups.rank * compared.rows * compared.width
        let range = compared.floats(of: part)
        return values[before + range.lowerBound..<before + range.upperBound]
    }

    /// Rows of this rank × rows of the group for each set: `[sets][rows][groupRows]`, a row beside its own group.
    static func gramCount(_ compared: ComparedRows) -> Int { compared.sets * compared.rows * compared.groupRows }

    /// The products of this rank's rows with all rows of their group.
    func gram(into k: Floats, pool: WorkerPool) {
        for part in compared.groups.parts {
            for set in 0..<compared.sets {
                let block = block(k, part, set: set)
                let all = compared.matrix(group(of: part), set: set)
                if part.samples.count == compared.groups.size {
                    pool.gram(all, into: block)
                } else {
                    let rows = compared.matrix(own(part), set: set)
                    pool.multiply(
                        rows, all.transposed, into: Matrix(block, rows: rows.rows, columns: compared.groupRows))
                }
            }
        }
    }

    /// The part of a Gram array that belongs to one set and this rank's part of a group.
    func block(_ k: Floats, _ part: SampleGroups.Part, set: Int) -> Floats {
        let start = (set * compared.rows + part.samples.lowerBound * compared.perSample) * compared.groupRows
        return k[start..<start + part.samples.count * compared.perSample * compared.groupRows]
    }
}
