import Glibc
public import Recipes

/// The learning rate of an update: a pure function of its index. Each schedule is one reference's, in a file with that
/// reference's name.
public protocol LearningRateSchedule: Sendable {
    /// The learning rate in force during an update of one network.
    /// - Parameters:
    ///   - update: updates that the network has tried before, from 0.
    ///   - scale: the group's layer scale. It multiplies the result, except in SimMIM, where it multiplies the base alone:
    ///     warm-up start and minimum are the same number for all groups.
    func learningRate(at update: Int, scale: Double) -> Double
}

extension LearningRateSchedule {
    /// The learning rate of a group without a scale.
    public func learningRate(at update: Int) -> Double { learningRate(at: update, scale: 1) }
}

/// A kind of schedule that a recipe can name: its keys and checks, and the schedule that they make.
public protocol ScheduleKind: SendableMetatype {
    /// The kind's own keys in the section `schedule`.
    associatedtype Settings: RecipeSection
    static var kind: String { get }
    static func schedule(_ settings: Settings, _ frame: ScheduleFrame) -> any LearningRateSchedule
    /// Rules with the keys that all kinds share and with the rest of the recipe; `here` is at the section.
    static func check(_ settings: Settings, _ recipe: Recipe, _ here: Here)
}

extension ScheduleKind {
    public static func check(_ settings: Settings, _ recipe: Recipe, _ here: Here) {
        recipe.schedule.shared.requireWarmupInside(here)
    }

    /// The schedule that a checked recipe describes.
    public static func make(_ recipe: Recipe, _ clock: EpochClock) throws(RecipeError) -> any LearningRateSchedule {
        schedule(try recipe.schedule.decode(Settings.self), ScheduleFrame(recipe, clock))
    }

    /// What `recipe check` needs to know of it.
    public static var entry: Catalogue.Kind { .init(Settings.self, rules: check) }
}

extension Recipe {
    /// The learning rate over the run of a checked recipe, by the one of a catalog's kinds that it names.
    public func learningRates(_ clock: EpochClock, _ kinds: [any ScheduleKind.Type]) throws -> any LearningRateSchedule
    {
        guard let kind = kinds.first(where: { $0.kind == schedule.kind }) else {
            preconditionFailure("a checked recipe names no schedule '\(schedule.kind)'")
        }
        return try kind.make(self, clock)
    }
}

/// What every schedule is made from: the run that it spans and the learning rate that it starts from.
public struct ScheduleFrame: Sendable, Equatable {
    /// Learning rate at the global batch.
    public let base: Double
    /// What a learning rate at a batch of `lr_base_size` is multiplied by: global batch / `lr_base_size`.
    public let batchFactor: Double
    /// Learning rate at the start of the warm-up, at a global batch of `lr_base_size`.
    public let warmupStart: Double
    /// None: as good as a warm-up of no updates.
    public let warmup: Length?
    public let length: Length
    public let clock: EpochClock

    public init(
        base: Double, batchFactor: Double = 1, warmupStart: Double = 0, warmup: Length? = nil, length: Length,
        clock: EpochClock
    ) {
        (self.base, self.batchFactor) = (base, batchFactor)
        (self.warmupStart, self.warmup) = (warmupStart, warmup)
        (self.length, self.clock) = (length, clock)
    }

    /// - Parameter recipe: one that has been checked: it gives its length in epochs or in updates.
    init(_ recipe: Recipe, _ clock: EpochClock) {
        let keys = recipe.schedule.shared
        let factor = keys.rateFactor(global: recipe.batch.global)
        self.init(
            base: keys.baseLR * factor, batchFactor: factor, warmupStart: keys.warmupLR ?? 0,
            warmup: Length(epochs: keys.warmupEpochs, updates: keys.warmupUpdates),
            length: Length(epochs: keys.epochs, updates: keys.updates) ?? .updates(Updates(0)), clock: clock)
    }

    var warmupUpdates: Int { warmup.map { clock.updates(in: $0).count } ?? 0 }

    /// Lengths of the curves that count whole epochs, whose recipes give them so.
    var wholeEpochs: (warmup: Double, length: Double) {
        func count(_ length: Length) -> Double {
            guard case .epochs(let epochs) = length else { preconditionFailure("a length in whole epochs expected") }
            return Double(epochs.count)
        }
        return (warmup.map(count) ?? 0, count(length))
    }
}

/// (1 + cos(πx)) / 2
func halfCosine(_ x: Double) -> Double { (1 + cos(Double.pi * x)) / 2 }
