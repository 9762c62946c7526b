import CKernels

/// Images (batch, side, side, channels) cut into cells of `cell` × `cell` pixels.
public struct ImageCells: Sendable {
    public let batch, side, channels, cell: Int

    public init(batch: Int, side: Int, channels: Int, cell: Int) {
        precondition(cell > 0 && side % cell == 0, "cells cut an image evenly")
        (self.batch, self.side, self.channels, self.cell) = (batch, side, channels, cell)
    }

    public var grid: Int { side / cell }
    public var count: Int { batch * grid * grid }
    public var cellFloats: Int { cell * cell * channels }

    /// The first float of each line of a cell.
    fileprivate func line(_ number: Int, _ y: Int) -> Int {
        let (image, down, right) = (number / grid / grid, number / grid % grid, number % grid)
        return ((image * side + down * cell + y) * side + right * cell) * channels
    }
}

extension WorkerPool {
    /// Mean and √(variance + epsilon) of each cell over all its pixels and channels; the variance is unbiased.
    /// - Parameter statistics: two floats a cell.
    public func cellStatistics(_ image: Floats, cells: ImageCells, epsilon: Double, into statistics: Floats) {
        precondition(image.count == cells.count * cells.cellFloats && statistics.count >= 2 * cells.count, "counts")
        split(cells.count, grain: 16, (image: image.base, cells: cells, epsilon: epsilon, to: statistics.base)) {
            job, range in
            let width = job.cells.cell * job.cells.channels
            for cell in range {
                var (sum, squares) = (0.0, 0.0)
                for y in 0..<job.cells.cell {
                    let line = job.image + job.cells.line(cell, y)
                    for at in 0..<width { sum += Double(line[at]) }
                }
                let mean = sum / Double(job.cells.cellFloats)
                for y in 0..<job.cells.cell {
                    let line = job.image + job.cells.line(cell, y)
                    for at in 0..<width { squares += (Double(line[at]) - mean) * (Double(line[at]) - mean) }
                }
                job.to[2 * cell] = Float(mean)
                job.to[2 * cell + 1] = Float((squares / Double(job.cells.cellFloats - 1) + job.epsilon).squareRoot())
            }
        }
    }

    /// Σ over masked cells of the mean of (prediction - (image - mean)/std)², in Double.
    /// - Parameter mask: one number a cell, 1 = masked.
    public func cellLoss(_ prediction: Floats, _ image: Floats, mask: Floats, statistics: Floats, cells: ImageCells)
        -> Double
    {
        check(prediction, image, mask, statistics, cells)
        return reduce(
            cells.count, atLeast: 1,
            (
                prediction: prediction.base, image: image.base, mask: mask.base, statistics: statistics.base,
                cells: cells
            )
        ) { job, range in
            let values = job.values
            var total = 0.0
            for cell in range where values.mask[cell] != 0 {
                let (mean, scale) = (values.statistics[2 * cell], 1 / values.statistics[2 * cell + 1])
                var sum = 0.0
                for y in 0..<values.cells.cell {
                    let at = values.cells.line(cell, y)
                    for at in at..<at + values.cells.cell * values.cells.channels {
                        let difference = Double(values.prediction[at] - (values.image[at] - mean) * scale)
                        sum += difference * difference
                    }
                }
                total += sum / Double(values.cells.cellFloats)
            }
            job.partials.store(total, range)
        }
    }

    /// The gradient of `cellLoss`: 2·scale/n·(prediction - target) in masked cells, else 0.
    public func cellLossBackward(
        _ prediction: Floats, _ image: Floats, mask: Floats, statistics: Floats, cells: ImageCells, scale: Float,
        into dPrediction: Floats, adding: Bool
    ) {
        check(prediction, image, mask, statistics, cells)
        precondition(dPrediction.count == prediction.count, "a gradient of another size")
        split(
            cells.count, grain: 16,
            (
                prediction: prediction.base, image: image.base, mask: mask.base, statistics: statistics.base,
                cells: cells, factor: 2 * scale / Float(cells.cellFloats), to: dPrediction.base, adding: adding
            )
        ) { job, range in
            for cell in range {
                let (mean, scale) = (job.statistics[2 * cell], 1 / job.statistics[2 * cell + 1])
                let factor = job.mask[cell] != 0 ? job.factor : 0
                for y in 0..<job.cells.cell {
                    let at = job.cells.line(cell, y)
                    for at in at..<at + job.cells.cell * job.cells.channels {
                        let slope = factor * (job.prediction[at] - (job.image[at] - mean) * scale)
                        job.to[at] = job.adding ? job.to[at] + slope : slope
                    }
                }
            }
        }
    }

    /// prediction·std + mean, one row a cell in the order (channel, y, x).
    public func cellRows(_ prediction: Floats, statistics: Floats, cells: ImageCells, into rows: Floats) {
        precondition(prediction.count == cells.count * cells.cellFloats && rows.count == prediction.count, "counts")
        precondition(statistics.count >= 2 * cells.count, "two floats a cell")
        split(
            cells.count, grain: 16,
            (prediction: prediction.base, statistics: statistics.base, cells: cells, rows: rows.base)
        ) { job, range in
            let (side, channels) = (job.cells.cell, job.cells.channels)
            for cell in range {
                let (mean, std) = (job.statistics[2 * cell], job.statistics[2 * cell + 1])
                let to = job.rows + cell * job.cells.cellFloats
                for y in 0..<side {
                    let line = job.prediction + job.cells.line(cell, y)
                    for x in 0..<side {
                        for channel in 0..<channels {
                            to[(channel * side + y) * side + x] = line[x * channels + channel] * std + mean
                        }
                    }
                }
            }
        }
    }

    private func check(
        _ prediction: Floats, _ image: Floats, _ mask: Floats, _ statistics: Floats, _ cells: ImageCells
    ) {
        precondition(prediction.count == cells.count * cells.cellFloats && image.count == prediction.count, "pixels")
        precondition(mask.count == cells.count && statistics.count >= 2 * cells.count, "cells")
    }
}
