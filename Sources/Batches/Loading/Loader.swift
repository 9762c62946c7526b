import Kernels
public import Recipes

/// Threads that read, transform and mask samples into the slots of a ring, ahead of the training loop.
/// The content of batch i is a pure function of (seed, data, i): not of threads, ranks or where the run was resumed.
public final class Loader: Sendable {
    /// Everything but the data that decides what a batch holds.
    public struct Settings: Sendable {
        public var seed: UInt64
        public var transform: ImageTransform
        /// Transform of the records of a token set, in place of `transform`'s steps.
        public var tokens: (any TokenTransform)?
        public var height, width: Int
        /// Masks drawn with the samples; nil: none.
        public var masking: (any Masking)?
        /// Classes of the targets; 0: labels only.
        public var targetClasses = 0
        public var tolerance = Tolerance()
        /// Batches in memory.
        public var slots = 3
        public var threads = 1

        public init(seed: UInt64, transform: ImageTransform, height: Int, width: Int) {
            self.seed = seed
            self.transform = transform
            self.height = height
            self.width = width
        }
    }

    public let bad = BadSamples()
    private let ring: BatchRing
    /// Empty once they have been joined.
    private let threads: Monitor<[Thread]>

    /// - Parameter updates: the updates to load for; a resumed run begins in the middle.
    public init(
        _ source: any SampleSource, _ sampler: Sampler, _ cut: BatchCut, _ settings: Settings, updates: Range<Int>
    ) throws(DataError) {
        guard sampler.count == source.count else {
            throw DataError(source.name, found: "\(source.count) samples", expected: "the sampler's \(sampler.count)")
        }
        let size = try cut.microBatch(of: sampler.globalBatch)
        try settings.checkMixing(of: size, source)
        try settings.checkForm(of: source)
        let shape = BatchShape(
            size: size, height: settings.height, width: settings.width, channels: settings.tokens?.channels ?? 3,
            maskCount: settings.masking?.count ?? 0, targetClasses: settings.targetClasses)
        let numbers = updates.lowerBound * cut.accumulation..<updates.upperBound * cut.accumulation
        let portion = max(1, min(8, size / max(1, 2 * settings.threads)))
        let ring = BatchRing(shape, slots: settings.slots, numbers: numbers, portion: portion)
        let schedule = BatchSchedule(sampler, cut, size: size, slots: settings.slots)
        let work = LoaderWork(
            source: source, settings: settings, ring: ring, schedule: schedule, bad: bad, ranks: cut.ranks)
        self.ring = ring
        threads = Monitor((0..<max(1, settings.threads)).map { number in Thread("loader \(number)") { work.run() } })
    }

    deinit { stop() }

    /// The next batch; waits until it is complete.
    public func next() throws(DataError) -> Batch { try ring.next() }
    /// Gives a batch back once the step no longer reads it.
    public func release(_ batch: Batch) { ring.release(batch) }
    /// Seconds the training loop has spent waiting for data.
    public var waitSeconds: Double { ring.waitSeconds }

    /// Ends loading and waits for the threads, which finish the sample they are at.
    public func stop() {
        ring.stop()
        let running = threads.update { threads in
            defer { threads = [] }
            return threads
        }
        for thread in running { thread.join() }
    }
}

extension Loader.Settings {
    /// Images go through a chain for images, tokens through one for tokens.
    fileprivate func checkForm(of source: any SampleSource) throws(DataError) {
        switch (source.tokens, tokens) {
        case (nil, nil): return
        case (nil, _?):
            throw DataError(
                source.name, found: "images", expected: "tokens, as the recipe has a section 'tokens'",
                hint: "'lacuna tokenize' makes a token set of them")
        case (_?, nil):
            throw DataError(
                source.name, found: "tokens", expected: "images",
                hint: "a recipe that reads a token set has a section 'tokens' in place of 'images'")
        case (let grid?, let transform?):
            guard transform.side == height, transform.side == width else {
                throw DataError(
                    source.name, found: "a grid of \(transform.side) x \(transform.side) tokens",
                    expected: "\(height) x \(width)")
            }
            guard transform.side <= grid.side else {
                throw DataError(
                    source.name, found: "grids of \(grid.side) x \(grid.side) tokens",
                    expected: "at least \(height) x \(width)", hint: "choose a smaller tokens.size")
            }
        }
    }

    fileprivate func checkMixing(of size: Int, _ source: any SampleSource) throws(DataError) {
        guard let mixing = transform.mixing else { return }
        guard targetClasses > 0 else {
            throw DataError(
                source.name, found: "no targets", expected: "those of labelled images, to be mixed with them",
                hint: "leave images.mix out of the recipe")
        }
        guard mixing.partner == .mirror || size % 2 == 0 else {
            throw DataError(
                "batch", found: "\(size) samples in a micro-batch of a rank",
                expected: "an even number, to mix neighbours",
                hint: "choose batch.global, batch.grad_accum_steps and ranks so that it is even")
        }
    }
}

extension Recipe {
    /// Micro-batches and images for an objective of this recipe.
    /// - Parameter classes: of the targets; 0 for a method that learns from no labels.
    public func loaderSettings(
        _ transform: ImageTransform, masking: (any Masking)? = nil, classes: Int = 0
    ) -> Loader.Settings {
        var settings = Loader.Settings(
            seed: seed, transform: transform, height: images.size, width: images.size)
        settings.masking = masking
        settings.slots = loader.prefetchBatches
        settings.threads = loader.threads
        settings.targetClasses = classes
        if let limits { settings.tolerance = Tolerance(share: limits.badSamplesShare) }
        return settings
    }
}
