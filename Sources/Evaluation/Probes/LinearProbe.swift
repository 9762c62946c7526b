public import Batches
import Checkpoints
public import Kernels
public import Messages
import Training

/// How well a linear classifier reads classes from frozen features. Classifiers of all learning rates, and of all parts of the
/// features that the protocol tries, learn side by side on one part of the training samples; the one that is best on the
/// other part learns again on all of them and is scored on the test set, once for each seed.
public struct LinearProbe {
    /// The outcome of one seed.
    public struct Outcome: Sendable, Equatable {
        /// Percent of the test set.
        public let top1, top5: Double
        /// Percent of the validation part, of the classifier that was chosen.
        public let validation: Double
        /// Base learning rate or penalty of the classifier that was chosen.
        public let setting: Double
        /// Pieces that it reads: `blocks.3 class token + blocks.3 mean`.
        public let feature: String
        /// Samples that it learned from.
        public let samples: Int
    }

    public let kind: ProbeProtocol
    public let norm: FeatureNorm
    private let train, test: Features
    private let pool: WorkerPool
    /// Rows scored at once.
    private static let block = 4096
    /// Share of the training samples that chooses the classifier.
    public static let validationShare = 0.1

    /// - Parameter norm: nil takes the protocol's own.
    public init(_ kind: ProbeProtocol, norm: FeatureNorm? = nil, train: Features, test: Features, pool: WorkerPool) {
        (self.kind, self.train, self.test, self.pool) = (kind, train, test, pool)
        self.norm = norm ?? kind.norm
    }

    /// - Parameters:
    ///   - source: the training set, of which `train` has the features.
    ///   - amount: the part of it that is used; nil uses all.
    ///   - progress: told the updates done and in all; may throw to end it.
    public func run(
        seed: UInt64, on source: any SampleSource, amount: ClassShare? = nil, progress: (Int, Int) throws -> Void
    ) throws -> Outcome {
        let split = try Split(train, source, amount, seed: seed)
        let choices = kind.choices(train)
        let search = choices.map { heads($0, kind.grid, seed: seed) }
        let lengths = [split.learned, split.all].map { kind.training($0.count).length }
        let norm = try learn(search, split.learned, seed: seed) { try progress($0, lengths[0] + lengths[1]) }
        let found = search.map { score([$0], train, rows: split.held, norm)[0].map(\.top1) }
        // The first of equals: fewer features, then the lower learning rate or the larger penalty.
        var best = (choice: 0, setting: 0)
        for choice in found.indices {
            for setting in found[choice].indices where found[choice][setting] > found[best.choice][best.setting] {
                best = (choice, setting)
            }
        }
        let setting = kind.grid[best.setting]
        let final = [heads(choices[best.choice], [setting], seed: seed)]
        let finalNorm = try learn(final, split.all, seed: seed) {
            try progress(lengths[0] + $0, lengths[0] + lengths[1])
        }
        let hits = score(final, test, rows: test.labelled, finalNorm)[0][0]
        return Outcome(
            top1: hits.top1, top5: hits.top5, validation: found[best.choice][best.setting], setting: setting,
            feature: train.pieces.filter { choices[best.choice].contains($0.columns.lowerBound) }
                .map(\.name).joined(separator: " + "), samples: split.all.count)
    }

    private func heads(_ columns: Range<Int>, _ settings: [Double], seed: UInt64) -> LinearHeads {
        LinearHeads(
            columns, classes: train.classes.count, settings: settings, start: kind.start, seed: seed, pool: pool)
    }

    /// Trains all heads on the rows.
    private func learn(
        _ heads: [LinearHeads], _ rows: [Int], seed: UInt64, progress: (Int) throws -> Void
    ) throws -> Normaliser {
        let norm = Normaliser(self.norm, train, rows: rows, pool: pool)
        switch kind.training(rows.count) {
        case .descent(let descent): try descend(heads, rows, norm, descent, seed: seed, progress)
        case .minimum(let mostPasses):
            for heads in heads {
                try heads.fit(samples: rows.count, mostPasses: mostPasses, progress: progress) { body in
                    forEachBlock(train, rows, norm, body)
                }
            }
        }
        return norm
    }

    /// In an order that the seed decides.
    private func descend(
        _ heads: [LinearHeads], _ rows: [Int], _ norm: Normaliser, _ descent: Descent, seed: UInt64,
        _ progress: (Int) throws -> Void
    ) throws {
        let size = descent.batch
        let sampler = try Sampler(count: rows.count, globalBatch: size, order: .shuffled(seed: seed))
        let order = Indices(zeros: rows.count)
        let (chosen, labels) = (Indices(zeros: size), Indices(zeros: size))
        let x = Floats(zeros: size * train.width)
        for update in 0..<descent.updates {
            let place = update % sampler.updatesPerEpoch * size
            if place == 0 { sampler.fill(order, epoch: sampler.epoch(ofUpdate: update)) }
            for slot in 0..<size {
                let row = rows[Int(order[place + slot])]
                chosen[slot] = Int32(row)
                labels[slot] = Int32(train.labels[row])
            }
            pool.gatherRows(train.values, table: chosen, into: x, channels: train.width)
            norm.apply(to: x, pool: pool)
            let factor = descent.factor(at: update)
            for heads in heads {
                heads.learn(x, labels: labels, rule: descent.rule, factor: factor, step: update + 1)
            }
            try progress(update + 1)
        }
    }

    /// The hits of each head on the rows of a set.
    private func score(_ heads: [LinearHeads], _ features: Features, rows: [Int], _ norm: Normaliser) -> [[Hits]] {
        var hits = heads.map { [Hits](repeating: Hits(), count: $0.count) }
        forEachBlock(features, rows, norm) { x, labels in
            for index in heads.indices { heads[index].count(&hits[index], x, labels: labels) }
        }
        return hits
    }

    /// The rows of a set in parts, normalised, with their labels.
    private func forEachBlock(
        _ features: Features, _ rows: [Int], _ norm: Normaliser, _ body: (Floats, Indices) -> Void
    ) {
        for start in stride(from: 0, to: rows.count, by: Self.block) {
            let part = rows[start..<min(start + Self.block, rows.count)]
            let x = Floats(zeros: part.count * features.width)
            pool.gatherRows(features.values, table: table(part), into: x, channels: features.width)
            norm.apply(to: x, pool: pool)
            body(x, table(part.map { features.labels[$0] }))
        }
    }
}

/// The rows of one seed: all that are used, and among them those that choose the classifier.
struct Split {
    let all, learned, held: [Int]

    /// - Parameter amount: nil uses all.
    init(_ features: Features, _ source: any SampleSource, _ amount: ClassShare?, seed: UInt64) throws(DataError) {
        var used = source
        var numbers = [Int](0..<source.count)
        if let amount {
            let part = try source.drawing(amount, seed: seed, part: "few-shot")
            (used, numbers) = (part, part.samples)
        }
        if let few = used.classCounts.firstIndex(of: 1) {
            throw DataError(
                used.name, found: "1 sample of class \(few)",
                expected: "at least 2: one to learn from, one to choose the learning rate by")
        }
        let held = try used.drawing(.share(LinearProbe.validationShare), seed: seed, part: "validation")
        let chooses = Set(held.samples.map { numbers[$0] })
        let uses = Set(numbers)
        // A sample that could not be read has no row.
        all = features.labelled.filter { uses.contains(features.samples[$0]) }
        learned = all.filter { !chooses.contains(features.samples[$0]) }
        self.held = all.filter { chooses.contains(features.samples[$0]) }
    }
}

extension Features {
    /// The labelled rows of a few-shot draw.
    /// - Parameters:
    ///   - source: the set that the features are of.
    ///   - amount: nil takes all.
    public func rows(of source: any SampleSource, _ amount: ClassShare?, seed: UInt64) throws(DataError) -> [Int] {
        guard let amount else { return labelled }
        let uses = Set(try source.drawing(amount, seed: seed, part: "few-shot").samples)
        return labelled.filter { uses.contains(samples[$0]) }
    }
}

extension LinearProbe {
    /// Settings for an evaluation card.
    public func settings(_ outcomes: [Outcome]) -> [String: JSON] {
        var settings: [String: JSON] = [
            "norm": .string("\(norm.rawValue) without parameters"), kind.gridName: numbers(outcomes.map(\.setting)),
            kind.gridName + "_grid": numbers(kind.grid), "read": .array(outcomes.map { .string($0.feature) }),
            "validation_top1": numbers(outcomes.map(\.validation)),
            "chosen": .string(
                "by top1 on \(Self.validationShare) of each class of the training samples, then trained on all of them; "
                    + "the test samples decide nothing"),
        ]
        switch kind.training(outcomes.first?.samples ?? 0) {
        case .descent(let descent):
            settings["optimizer"] = .string(descent.rule.rawValue)
            settings["weight_decay"] = .integer(0)
            settings["batch"] = .integer(descent.batch)
            settings["updates"] = .integer(descent.updates)
            settings["schedule"] = .string(kind == .mae ? "90 epochs, 10 of warm-up, cosine" : "cosine")
            settings["augmentation"] = .string(
                "none: features are computed once; the paper crops and mirrors at random at every epoch")
        case .minimum(let mostPasses):
            settings["optimizer"] = .string("L-BFGS, at most \(mostPasses) passes")
            settings["augmentation"] = .string("none")
        }
        return settings
    }

    private func numbers(_ values: [Double]) -> JSON { .array(values.map { .number($0) }) }
}
