public import Batches
import Kernels
public import Optimizers
import Platform
public import Recipes

// What the sections of a recipe stand for in the modules that know no recipes.

extension Recipe {
    /// Opens a data section. Where the data are missing, the error says how to get them.
    /// - Parameter tolerance: the bad files of a folder beyond which it is refused.
    public func source(_ section: Section, tolerance: Tolerance = Tolerance()) throws -> any SampleSource {
        do {
            return try open(section, tolerance)
        } catch let error as DataError {
            guard let refusal = error.refusal, refusal.isMissing else { throw error }
            throw DataError(refusal, hint: Self.hint(missing: error.place, error.hint))
        }
    }

    private static func hint(missing path: String, _ known: String) -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let data = parts.indices.dropFirst(2).first { parts[$0] == "data" && parts[$0 - 2] == "Datasets" }
        guard let data else {
            return known.isEmpty ? "paths in a recipe start at the folder where lacuna is started" : known
        }
        let hint = "run \(parts[..<data].joined(separator: "/"))/prepare, or start where Datasets lies"
        return known.contains("prepare") || known.isEmpty ? hint : "\(hint); \(known)"
    }

    private func open(_ section: Section, _ tolerance: Tolerance) throws -> any SampleSource {
        switch section.kind {
        case "procedural":
            let settings = try section.decode(ProceduralSettings.self)
            return try Procedural(
                seed: settings.seed, count: settings.count, size: settings.size, first: settings.first)
        case "folder":
            let settings = try section.decode(FolderSettings.self)
            return try ImageFolder(settings.path, manifest: Manifest(settings.index), tolerance: tolerance)
        case "tokens":
            let set = try TokenSet(section.decode(TokenSettings.self).path)
            try checkTokens(set.grid, of: set.path)
            return set
        default:
            let settings = try section.decode(PartedSettings.self)
            let split: Split = settings.part == .train ? .train : .test
            switch section.kind {
            case "cifar10": return try CIFAR(.ten, folder: settings.path, split: split)
            case "cifar100": return try CIFAR(.hundred, folder: settings.path, split: split)
            case "digits": return try Digits(settings.path, split: split)
            default:
                return try IDX(
                    folder: settings.path, split: split, name: settings.path, classes: IDX.digitNames)
            }
        }
    }

    /// The rule that moves the weights.
    public var updateRule: any UpdateRule {
        switch optimizer.rule {
        case .adamW(let betas, let epsilon): AdamW(first: betas[0], second: betas[1], epsilon: epsilon)
        case .adam(let betas, let epsilon): Adam(first: betas[0], second: betas[1], epsilon: epsilon)
        case .sgd(let momentum, let dampening, let nesterov):
            SGD(momentum: momentum, dampening: dampening, nesterov: nesterov)
        case .lamb(let betas, let epsilon, let correctsBias, let alwaysAdapts):
            LAMB(
                first: betas[0], second: betas[1], epsilon: epsilon, correctsBias: correctsBias,
                alwaysAdapts: alwaysAdapts)
        case .lion(let betas): Lion(first: betas[0], second: betas[1])
        case .lars(let momentum, let trust, let form):
            switch form {
            case .mae: ProbeLARS(momentum: momentum, trust: trust)
            case .timm: LARS(momentum: momentum, trust: trust)
            }
        }
    }

    /// Updates of the whole run.
    public func totalUpdates(perEpoch: Int) -> Int { schedule.updates ?? (schedule.epochs ?? 0) * perEpoch }

    /// Updates between two checkpoints; nil without any.
    public func checkpointUpdates(perEpoch: Int) -> Int? {
        checkpoint.flatMap { $0.everyUpdates ?? $0.everyEpochs.map { $0 * perEpoch } }
    }

    /// The weight decay over the run, by updates.
    public func decay(perEpoch: Int) -> DecaySchedule {
        guard let end = optimizer.weightDecayEnd else { return .constant(optimizer.weightDecay) }
        return .cosine(start: optimizer.weightDecay, end: end, epochs: totalUpdates(perEpoch: perEpoch))
    }

    /// The learning rate over the run. Lengths are turned into updates, so the clock's epoch is one update, except for
    /// curves that count whole epochs.
    public func rates(perEpoch: Int) -> (schedule: Optimizers.Schedule, clock: EpochClock, base: Double) {
        let factor = schedule.rateFactor(global: batch.global)
        let warmup = Double(schedule.warmupUpdates ?? (schedule.warmupEpochs ?? 0) * perEpoch)
        let (total, start) = (totalUpdates(perEpoch: perEpoch), schedule.warmupRate ?? 0)
        func curve(_ shape: SimMIMCurve.Shape) -> Optimizers.Schedule {
            .simMIM(SimMIMCurve(shape, warmupStart: start * factor, warmupEpochs: warmup, epochs: total))
        }
        let clock = EpochClock(microBatches: batch.accumulation, accumulation: batch.accumulation)
        let base = schedule.baseRate * factor
        switch schedule.curve {
        case .constant: return (curve(.multistep(epochs: [], factor: 1)), clock, base)
        case .cosine(let minimum, .simmim): return (curve(.cosine(minimum: minimum * factor)), clock, base)
        case .cosine(let minimum, .mae):
            return (.mae(minimum: minimum, warmupEpochs: warmup, epochs: total), clock, base)
        case .cosine(let minimum, .deit):
            let epochs = EpochClock(microBatches: perEpoch * batch.accumulation, accumulation: batch.accumulation)
            return (
                .deiT(
                    warmupStart: start, minimum: minimum, warmupEpochs: schedule.warmupEpochs ?? 0,
                    epochs: schedule.epochs ?? 1), epochs, base
            )
        case .cosine(_, .crate):
            let epochs = EpochClock(microBatches: perEpoch * batch.accumulation, accumulation: batch.accumulation)
            return (
                .crate(warmupEpochs: schedule.warmupEpochs ?? 0, epochs: schedule.epochs ?? 1), epochs, base
            )
        case .cosine(_, .crateFineTuning):
            let epochs = EpochClock(microBatches: perEpoch * batch.accumulation, accumulation: batch.accumulation)
            return (.crateFineTuning(epochs: schedule.epochs ?? 1), epochs, base)
        case .cosine(_, .spark): return (.sparK(warmupEpochs: warmup, epochs: total), clock, base)
        case .linear: return (curve(.linear(end: 0.01)), clock, base)
        case .multistep(let epochs, let gamma):
            return (curve(.multistep(epochs: epochs.map { $0 * perEpoch }, factor: gamma)), clock, base)
        case .step(let every, let gamma):
            return (curve(.step(everyEpochs: every * perEpoch, factor: gamma)), clock, base)
        case .warmRestarts(let minimum, let period):
            let epochs = EpochClock(microBatches: perEpoch * batch.accumulation, accumulation: batch.accumulation)
            return (.warmRestarts(minimum: minimum * factor, periodEpochs: period), epochs, base)
        }
    }
}
