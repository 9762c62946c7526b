import Kernels

/// The time that making samples costs one core, without waiting for files.
public struct LoadingRate: Sendable, Equatable {
    public let images: Int
    /// Seconds of computing: reading and decoding, then transforms and mask, both for all images together.
    public let readSeconds, transformSeconds: Double

    public var imagesPerSecond: Double { Double(images) / (readSeconds + transformSeconds) }
}

extension SampleSource {
    /// Makes samples on the calling thread as a loader does. Mixing, which is one pass over a batch, is left out.
    /// - Parameters:
    ///   - images: that many, the set's over and over, each time drawn anew.
    ///   - progress: called with images done.
    public func loadingRate(
        _ settings: Loader.Settings, images: Int, progress: (Int) -> Void = { _ in }
    ) throws(SampleError) -> LoadingRate {
        var image = Image()
        var memory = ReadMemory()
        var (reading, rest) = (0.0, 0.0)
        let channels = settings.tokens?.channels ?? 3
        let pixels = Floats(zeros: settings.height * settings.width * channels)
        let mask = Floats(zeros: settings.masking?.count ?? 0)
        let ids = Indices(zeros: tokens?.count ?? 0)
        // One that is not counted brings its memory with it.
        for number in -1..<images {
            let sample = (number + count) % count
            let key = SampleKey(seed: settings.seed, epoch: UInt32((number + count) / count), sample: UInt64(sample))
            let start = ThreadTime.now
            let middle: Double
            if let transform = settings.tokens {
                try readTokens(sample, into: ids)
                middle = ThreadTime.now
                transform.apply(ids, into: pixels)
            } else {
                try read(sample, into: &image, using: &memory)
                middle = ThreadTime.now
                settings.transform.augment(&image, key)
                guard image.height == settings.height, image.width == settings.width else {
                    throw SampleError(
                        path: place(sample), reason: "\(image.height) × \(image.width) pixels after the augmentations")
                }
                settings.transform.write(image, key, into: pixels)
            }
            settings.masking?.draw(key, update: 0, into: mask)
            guard number >= 0 else { continue }
            reading += middle - start
            rest += ThreadTime.now - middle
            progress(number + 1)
        }
        return LoadingRate(images: images, readSeconds: reading, transformSeconds: rest)
    }
}
