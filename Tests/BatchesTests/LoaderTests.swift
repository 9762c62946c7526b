import Batches
import Kernels
import Platform
import Testing

/// What a batch held, copied before its slot is used again.
private struct Copy: Equatable {
    let number, update, epoch, count: Int
    let images, masks: [Float]
    let labels, samples: [Int32]

    init(_ batch: Batch) {
        (number, update, epoch, count) = (batch.number, batch.update, batch.epoch, batch.count)
        (images, masks) = (batch.images.array, batch.masks.array)
        (labels, samples) = (batch.labels.array, batch.samples.array)
    }
}

/// Masks whose samples differ in the number of visible cells.
private struct CoinMasking: Masking {
    var side: Int { 4 }
    var cells: Int { 16 }
    var visibleCells: Int? { nil }
    func draw(_ key: SampleKey, update: Int, into mask: Floats) {
        var random = key.stream(.mask)
        for cell in 0..<cells { mask[cell] = Float(random.below(2)) }
    }
}

private struct SlowMasking: Masking {
    var side: Int { 4 }
    var cells: Int { 16 }
    var visibleCells: Int? { cells }
    func draw(_ key: SampleKey, update: Int, into mask: Floats) { waste(seconds: 0.01) }
}

@Suite struct LoaderTests {
    private let set: Procedural
    private let size = 16

    init() throws { set = try Procedural(seed: 1, count: 30, size: 20) }

    private func settings(threads: Int = 1, slots: Int = 3) -> Loader.Settings {
        let transform = ImageTransform(
            [
                RandomResizedCrop(size: size, area: 0.67...1, .bilinear),
                HorizontalFlip(),
            ], .imageNet)
        var settings = Loader.Settings(seed: 11, transform: transform, height: size, width: size)
        settings.masking = CoinMasking()
        settings.threads = threads
        settings.slots = slots
        return settings
    }

    private func sampler(_ batch: Int = 8) throws -> Sampler {
        try Sampler(count: 30, globalBatch: batch, order: .shuffled(seed: 11))
    }

    private func batches(
        _ source: any SampleSource, _ sampler: Sampler, _ settings: Loader.Settings, updates: Range<Int>,
        cut: BatchCut = BatchCut()
    ) throws -> [Copy] {
        let loader = try Loader(source, sampler, cut, settings, updates: updates)
        return try (0..<updates.count * cut.accumulation).map { _ in
            let batch = try loader.next()
            defer { loader.release(batch) }
            return Copy(batch)
        }
    }

    @Test func `one thread and three give the same batches`() throws {
        let one = try batches(set, sampler(), settings(threads: 1), updates: 0..<10)
        let three = try batches(set, sampler(), settings(threads: 3, slots: 2), updates: 0..<10)
        #expect(one == three)
        #expect(one.map(\.update) == Array(0..<10))
        #expect(one.map(\.epoch) == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3])
        #expect(Set(one.map(\.images)).count == 10)
    }

    @Test(arguments: [1, 2, 3, 4, 7])
    func `a run resumed at any update sees the same batches`(_ start: Int) throws {
        let whole = try batches(set, sampler(), settings(), updates: 0..<9)
        let resumed = try batches(set, sampler(), settings(threads: 2), updates: start..<9)
        #expect(resumed == Array(whole[start...]))
    }

    @Test(arguments: [(2, 1), (4, 1), (2, 2), (1, 4), (8, 1)])
    func `ranks and micro-batches together see what one rank sees`(_ ranks: Int, _ accumulation: Int) throws {
        let whole = try batches(set, sampler(), settings(), updates: 2..<5)
        let parts = try (0..<ranks).map { rank in
            let cut = BatchCut(rank: rank, ranks: ranks, accumulation: accumulation)
            return try batches(set, sampler(), settings(threads: 2), updates: 2..<5, cut: cut)
        }
        for update in 0..<3 {
            let pieces = parts.flatMap { $0[update * accumulation..<(update + 1) * accumulation] }
            #expect(pieces.flatMap(\.samples) == whole[update].samples)
            #expect(pieces.flatMap(\.images) == whole[update].images)
            #expect(pieces.flatMap(\.masks) == whole[update].masks)
            #expect(pieces.flatMap(\.labels) == whole[update].labels)
        }
    }

    @Test func `samples carry their label and their own augmentation`() throws {
        let copies = try batches(set, sampler(), settings(), updates: 0..<6)
        for copy in copies {
            for (sample, label) in zip(copy.samples, copy.labels) { #expect(Int(label) == set.label(Int(sample))) }
        }
        // The same sample in another epoch is cropped and masked otherwise.
        let sample = copies[0].samples[0]
        if let place = copies[3].samples.firstIndex(of: sample) {
            #expect(copies[0].images.prefix(768) != copies[3].images[place * 768..<(place + 1) * 768])
        }
        #expect(copies[0].masks.prefix(16) != copies[0].masks[16..<32])
    }

    @Test func `the last batch in stored order is short and its empty slots are zero`() throws {
        let sampler = try Sampler(count: 30, globalBatch: 8, order: .stored)
        let copies = try batches(set, sampler, settings(threads: 2), updates: 0..<4)
        #expect(copies.map(\.count) == [8, 8, 8, 6])
        #expect(copies.flatMap(\.samples) == (0..<30).map { Int32($0) } + [-1, -1])
        #expect(copies[3].images.suffix(2 * 768).allSatisfy { $0 == 0 })
        // A rank whose whole block lies beyond the end gets an empty batch and goes on.
        let cut = BatchCut(rank: 3, ranks: 4)
        #expect(
            try batches(set, sampler, settings(), updates: 0..<8, cut: cut).map(\.count) == [2, 2, 2, 0, 2, 2, 2, 0])
    }

    @Test func `stopping ends threads that wait for a free slot and the consumer`() throws {
        let loader = try Loader(set, sampler(), BatchCut(), settings(threads: 3), updates: 0..<1_000_000)
        _ = try loader.next()
        loader.stop()
        #expect(throws: DataError.self) { try loader.next() }
    }

    @Test func `a loader that is let go ends its threads`() throws {
        for _ in 0..<20 { _ = try Loader(set, sampler(), BatchCut(), settings(threads: 2), updates: 0..<1_000_000) }
    }

    @Test func `the time the consumer waits is counted`() throws {
        var settings = settings()
        settings.masking = SlowMasking()
        let loader = try Loader(set, sampler(), BatchCut(), settings, updates: 0..<2)
        loader.release(try loader.next())
        #expect(loader.waitSeconds >= 0.03)
    }

    @Test func `a transform that does not give the input size is an error and no bad sample`() throws {
        let plain = ImageTransform([], .imageNet)
        let loader = try Loader(
            set, sampler(), BatchCut(), Loader.Settings(seed: 1, transform: plain, height: 16, width: 16),
            updates: 0..<9)
        let error = #expect(throws: DataError.self) { try loader.next() }
        #expect(error?.description.contains("20 × 20") == true)
        #expect(loader.bad.count == 0)
    }

    @Test func `a source of another size than the sampler's is refused`() throws {
        let other = try Sampler(count: 31, globalBatch: 8, order: .stored)
        #expect(throws: DataError.self) { try Loader(set, other, BatchCut(), settings(), updates: 0..<1) }
    }
}

@Suite struct BadSampleTests {
    private let folder = TemporaryFolder()
    private let transform = ImageTransform([Resizing(.exactly(height: 4, width: 4), .bilinear)], .imageNet)

    private func open(files: Int) throws -> ImageFolder {
        let jpeg = try Checkout.jpeg()
        for file in 0..<files { folder.write("a/\(file).jpg", jpeg) }
        return try ImageFolder(folder.path, manifest: Manifest.build(folder.path))
    }

    private func samples(_ source: ImageFolder, ranks: Int, threads: Int) throws -> ([Int32], [SampleError]) {
        let sampler = try Sampler(count: source.count, globalBatch: 12, order: .shuffled(seed: 5))
        var (found, reports): ([[Int32]], [SampleError]) = ([], [])
        for rank in 0..<ranks {
            var settings = Loader.Settings(seed: 5, transform: transform, height: 4, width: 4)
            settings.threads = threads
            let loader = try Loader(source, sampler, BatchCut(rank: rank, ranks: ranks), settings, updates: 0..<4)
            for update in 0..<4 {
                let batch = try loader.next()
                if rank == 0 { found.append([]) }
                found[update] += batch.samples.array
                loader.release(batch)
            }
            reports += loader.bad.takeReports()
            #expect(loader.bad.takeReports().isEmpty)
        }
        return (Array(found.joined()), reports)
    }

    @Test func `bad samples are reported once and replaced by the same ones on any number of ranks`() throws {
        let source = try open(files: 24)
        let names = (0..<24).map { source.place($0) }
        for file in ["3", "17"] { folder.write("a/\(file).jpg", [1, 2, 3]) }
        let (one, reports) = try samples(source, ranks: 1, threads: 1)
        let bad = Set(reports.map(\.path))
        #expect(bad == Set(names.filter { $0.hasSuffix("/3.jpg") || $0.hasSuffix("/17.jpg") }))
        // Two epochs meet them twice; they are reported once.
        #expect(reports.count == 2)
        #expect(one.count == 48)
        #expect(one.allSatisfy { !bad.contains(names[Int($0)]) })
        #expect(try samples(source, ranks: 1, threads: 3).0 == one)
        #expect(try samples(source, ranks: 2, threads: 2).0 == one)
        #expect(try samples(source, ranks: 4, threads: 1).0 == one)
    }

    @Test func `more bad samples than tolerated end the run at their batch`() throws {
        let source = try open(files: 40)
        for file in 0..<20 { folder.write("a/\(file).jpg", []) }
        let sampler = try Sampler(count: 40, globalBatch: 4, order: .stored)
        var settings = Loader.Settings(seed: 5, transform: transform, height: 4, width: 4)
        settings.tolerance = Tolerance(share: 0.1, always: 0)
        let loader = try Loader(source, sampler, BatchCut(), settings, updates: 0..<10)
        let error = #expect(throws: DataError.self) {
            for _ in 0..<10 { loader.release(try loader.next()) }
        }
        #expect(error?.description.contains("5 bad samples of 40, expected at most 4") == true)
        #expect(error?.description.contains("lacuna data verify") == true)
    }
}
