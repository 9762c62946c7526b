import Kernels

/// The work of each loading thread.
struct LoaderWork: Sendable {
    let source: any SampleSource
    let settings: Loader.Settings
    let ring: BatchRing
    let schedule: BatchSchedule
    let bad: BadSamples
    let ranks: Int

    /// Substitutes that may be bad themselves before the batch fails.
    private static let attempts = 16

    func run() {
        var image = Image()
        var memory = ReadMemory()
        memory.ids = Indices(zeros: source.tokens?.count ?? 0)
        let shape = ring.batches[0].shape
        let scratch = Floats(
            zeros: settings.transform.mixing == nil ? 0 : max(shape.imageCount, shape.targetClasses))
        while true {
            switch ring.claim() {
            case .stop: return
            case .open(let number, let slot):
                schedule.open(number, ring.batches[slot], slot: slot)
                clearEmptySlots(of: ring.batches[slot])
                ring.opened(slot)
            case .fill(_, let slot, let places):
                let batch = ring.batches[slot]
                for place in places {
                    do {
                        try fill(place, of: batch, schedule.draw(place, batch, slot: slot), &image, &memory)
                    } catch {
                        ring.fail(slot, error)
                    }
                }
                if ring.filled(slot, places.count) {
                    settings.transform.mixing?.apply(batch, seed: settings.seed, scratch: scratch) { place in
                        schedule.draw(place, batch, slot: slot).key(seed: settings.seed)
                    }
                    ring.completed(slot)
                }
            }
        }
    }

    private func fill(
        _ place: Int, of batch: Batch, _ draw: Draw, _ image: inout Image, _ memory: inout ReadMemory
    ) throws(DataError) {
        let key = draw.key(seed: settings.seed)
        let sample: Int
        if let transform = settings.tokens {
            sample = draw.sample
            // A token set is small and has been written whole: a record that is damaged ends the run.
            do { try source.readTokens(sample, into: memory.ids) } catch {
                throw DataError(
                    error.path, found: error.reason, hint: "'lacuna data verify' lists all such records")
            }
            transform.apply(memory.ids, into: batch.image(place))
        } else {
            sample = try read(draw, into: &image, using: &memory)
            try write(image: &image, sample, key, into: batch.image(place))
        }
        settings.masking?.draw(key, update: batch.update, into: batch.mask(place))
        batch.samples[place] = Int32(sample)
        batch.keys[place] = key.sample
        let label = source.label(sample) ?? -1
        batch.labels[place] = Int32(label)
        guard settings.targetClasses > 0 else { return }
        guard (0..<settings.targetClasses).contains(label) else {
            throw DataError(
                source.place(sample), found: label < 0 ? "no label" : "class \(label)",
                expected: "a class of the \(settings.targetClasses)")
        }
        let target = batch.target(place)
        target.fill(0)
        target[label] = 1
    }

    private func write(image: inout Image, _ sample: Int, _ key: SampleKey, into floats: Floats) throws(DataError) {
        settings.transform.augment(&image, key)
        guard image.height == settings.height, image.width == settings.width else {
            throw DataError(
                source.place(sample), found: "an image of \(image.height) × \(image.width) after the augmentations",
                expected: "\(settings.height) × \(settings.width)",
                hint: "the recipe needs a crop or resize to the input size")
        }
        settings.transform.write(image, key, into: floats)
    }

    /// Reads the sample of the draw, or a substitute if it is bad.
    /// - Returns: the number of the sample that was read.
    private func read(
        _ draw: Draw, into image: inout Image, using memory: inout ReadMemory
    ) throws(DataError) -> Int {
        var sample = draw.sample
        for attempt in 0..<Self.attempts {
            do {
                try source.read(sample, into: &image, using: &memory)
                return sample
            } catch {
                let count = bad.note(sample, error)
                guard settings.tolerance.accepts(bad: 1, of: source.count) else {
                    throw DataError(error.path, found: error.reason)
                }
                // Each rank meets its part of the bad samples.
                try settings.tolerance.check(bad: count, of: source.count / ranks, place: source.name)
                sample = draw.substitute(attempt: attempt, count: source.count, seed: settings.seed)
            }
        }
        throw DataError(
            source.place(draw.sample), found: "a bad sample and \(Self.attempts - 1) bad substitutes",
            hint: "'lacuna data verify' lists bad files with their reason")
    }

    private func clearEmptySlots(of batch: Batch) {
        for place in batch.count..<batch.shape.size {
            batch.image(place).fill(0)
            batch.mask(place).fill(0)
            batch.target(place).fill(0)
            batch.samples[place] = -1
            batch.labels[place] = -1
        }
    }
}
