import CKernels

/// Samples as grids of cells: each row holds one cell's channels × stride × stride pixels.
public struct PixelGrid: Sendable {
    public let batch, height, width, channels, stride, maskPatch: Int

    /// - Parameters:
    ///   - height: cells of the grid along y; `width` along x.
    ///   - stride: pixels of a cell along each axis.
    ///   - maskPatch: pixels of one mask value along each axis; divides `stride`.
    public init(batch: Int, height: Int, width: Int, channels: Int, stride: Int, maskPatch: Int? = nil) {
        let patch = maskPatch ?? stride
        precondition(patch > 0 && stride % patch == 0, "a cell is a whole number of mask patches")
        self.batch = batch
        self.height = height
        self.width = width
        self.channels = channels
        self.stride = stride
        self.maskPatch = patch
    }

    public var rows: Int { batch * height * width }
    /// Floats of one row, in the order (channel, y, x).
    public var rowFloats: Int { channels * stride * stride }
    /// Mask values of the batch, laid out as (batch, height·stride/maskPatch, width·stride/maskPatch).
    public var maskValues: Int { rows * (stride / maskPatch) * (stride / maskPatch) }

    var raw: ck_grid {
        ck_grid(height: height, width: width, channels: channels, stride: stride, patch: maskPatch)
    }
}

extension WorkerPool {
    /// Cuts images into patches.
    /// image: (batch, height, width, channels); rows: batch·(height/patch)·(width/patch) rows of (channel, y, x).
    public func patchify(
        _ image: Floats, into rows: Floats, batch: Int, height: Int, width: Int, channels: Int, patch: Int
    ) {
        precondition(height % patch == 0 && width % patch == 0, "an image is a whole number of patches")
        let grid = PixelGrid(
            batch: batch, height: height / patch, width: width / patch, channels: channels, stride: patch)
        precondition(image.count == rows.count && rows.count == grid.rows * grid.rowFloats, "counts do not match")
        split(grid.rows, grain: chunkRows(grid.rowFloats), (kernels: kernels, image: image.base, rows: rows.base, grid))
        {
            job, range in
            job.kernels.pointee.pixels.patchify(
                job.image, job.rows + range.lowerBound * job.3.rowFloats, job.3.raw, range.lowerBound,
                range.upperBound)
        }
    }

    /// Puts patches back into images: the inverse of `patchify`, and with `adding` its gradient.
    public func unpatchify(
        _ rows: Floats, into image: Floats, adding: Bool = false, batch: Int, height: Int, width: Int, channels: Int,
        patch: Int
    ) {
        precondition(height % patch == 0 && width % patch == 0, "an image is a whole number of patches")
        let grid = PixelGrid(
            batch: batch, height: height / patch, width: width / patch, channels: channels, stride: patch)
        precondition(image.count == rows.count && rows.count == grid.rows * grid.rowFloats, "counts do not match")
        split(
            grid.rows, grain: chunkRows(grid.rowFloats),
            (kernels: kernels, rows: rows.base, image: image.base, grid: grid, adding: adding ? 1 as Int32 : 0)
        ) {
            job, range in
            job.kernels.pointee.pixels.unpatchify(
                job.rows + range.lowerBound * job.grid.rowFloats, job.image, job.adding, job.grid.raw,
                range.lowerBound, range.upperBound)
        }
    }

    /// Σ |target - prediction|·mask in Double, each mask value weighing its patch of pixels in every channel.
    /// prediction, target: grid.rows × grid.rowFloats; mask: grid.maskValues.
    public func maskedAbsoluteError(_ prediction: Floats, _ target: Floats, mask: Floats, grid: PixelGrid) -> Double {
        precondition(prediction.count == grid.rows * grid.rowFloats && target.count == prediction.count, "row counts")
        precondition(mask.count == grid.maskValues, "mask of another grid")
        return reduce(
            grid.rows, atLeast: 1,
            (kernels: kernels, prediction: prediction.base, target: target.base, mask: mask.base, grid: grid)
        ) { job, range in
            let values = job.values
            job.partials.store(
                values.kernels.pointee.pixels.masked_absolute_error(
                    values.prediction, values.target, values.mask, values.grid.raw, range.lowerBound,
                    range.upperBound), range)
        }
    }

    /// dPrediction (+)= scale·sign(prediction - target)·mask; 0 where both are equal.
    public func maskedAbsoluteErrorBackward(
        _ prediction: Floats, _ target: Floats, mask: Floats, scale: Float, into dPrediction: Floats, adding: Bool,
        grid: PixelGrid
    ) {
        precondition(prediction.count == grid.rows * grid.rowFloats && target.count == prediction.count, "row counts")
        precondition(dPrediction.count == prediction.count && mask.count == grid.maskValues, "counts do not match")
        split(
            grid.rows, grain: chunkRows(grid.rowFloats),
            (
                kernels: kernels, prediction: prediction.base, target: target.base, mask: mask.base, scale: scale,
                dPrediction: dPrediction.base, adding: adding ? 1 as Int32 : 0, grid: grid
            )
        ) { job, range in
            job.kernels.pointee.pixels.masked_absolute_error_backward(
                job.prediction, job.target, job.mask, job.scale, job.dPrediction, job.adding, job.grid.raw,
                range.lowerBound, range.upperBound)
        }
    }
}
