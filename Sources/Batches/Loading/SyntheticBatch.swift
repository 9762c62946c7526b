public import Kernels

extension Batch {
    /// A batch without a data set, for timing a step: normalised pixels drawn uniformly with the mean 0 and the
    /// deviation 1 of real ones, and the masks that `mask` draws. Labels go round the classes.
    /// - Parameter codes: of a codebook whose ids stand in the place of pixels; nil for pixels or code vectors.
    public convenience init(
        made shape: BatchShape, seed: UInt64, first: Int = 0, codes: Int? = nil,
        mask: ((SampleKey, Floats) -> Void)? = nil
    ) {
        self.init(shape)
        count = shape.size
        for slot in 0..<shape.size {
            let key = SampleKey(seed: seed, epoch: 0, sample: UInt64(first + slot))
            var random = key.stream(.procedural)
            let image = image(slot)
            for pixel in 0..<image.count {
                image[pixel] =
                    codes.map { Float(random.below($0)) } ?? (Float(random.word() >> 8) * 0x1p-23 - 1) * 1.7320508
            }
            mask?(key, self.mask(slot))
            samples[slot] = Int32(first + slot)
            keys[slot] = key.sample
            guard shape.targetClasses > 0 else { continue }
            labels[slot] = Int32((first + slot) % shape.targetClasses)
            targets[slot * shape.targetClasses + Int(labels[slot])] = 1
        }
    }
}
