import CKernels

/// Which values a layer drops in training: a pure function of (key of the sample, site, row, column). Backward draws
/// them again; nothing is stored.
public struct DropoutDraw: Sendable {
    /// Two words for each sample.
    let keys: Indices
    /// Number of the layer among those of the network.
    let site: UInt32
    /// Share of 2^16 that is dropped.
    private let threshold: UInt32

    /// - Parameter dropRate: share of dropped values, 0..<1; rounded to 1/65536.
    public init(dropRate: Double, site: UInt32, keys: Indices) {
        precondition((0..<1).contains(dropRate), "a drop rate lies in 0..<1")
        (self.keys, self.site) = (keys, site)
        threshold = UInt32(dropRate * 65536 + 0.5)
    }

    /// Samples that have a key.
    public var samples: Int { keys.count / 2 }

    func raw(sample: Int) -> ck_dropout_draw {
        ck_dropout_draw(
            key: (UInt32(bitPattern: keys[2 * sample]), UInt32(bitPattern: keys[2 * sample + 1])), site: site,
            threshold: threshold, scale: 65536 / Float(65536 - threshold))
    }
}

extension WorkerPool {
    /// y (+)= x with values dropped and the others divided by the share that stays; y may be x unless `adding`.
    /// x, y: (samples·rows) × channels.
    public func dropout(_ x: Floats, into y: Floats, adding: Bool = false, _ draw: DropoutDraw, channels: Int) {
        precondition(x.count == y.count && channels > 0 && x.count % (channels * draw.samples) == 0, "row counts")
        let rows = x.count / channels
        split(
            rows, grain: chunkRows(channels),
            (
                kernels: kernels, x: x.base, y: y.base, adding: adding ? 1 as Int32 : 0, draw: draw,
                perSample: rows / draw.samples, channels: channels
            )
        ) { job, range in
            var row = range.lowerBound
            while row < range.upperBound {
                let sample = row / job.perSample
                let end = min(range.upperBound, (sample + 1) * job.perSample)
                job.kernels.pointee.dropout.apply(
                    job.x + row * job.channels, job.y + row * job.channels, job.adding, job.draw.raw(sample: sample),
                    UInt32(row - sample * job.perSample), end - row, job.channels)
                row = end
            }
        }
    }
}
