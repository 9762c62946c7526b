/// A length or a place in whole epochs of one network.
public struct Epochs: Sendable, Hashable {
    public let count: Int

    public init(_ count: Int) { self.count = count }
}

/// A length in updates of one network.
public struct Updates: Sendable, Hashable {
    public let count: Int

    public init(_ count: Int) { self.count = count }
}

/// A length as a recipe gives it.
public enum Length: Sendable, Hashable {
    case epochs(Epochs)
    case updates(Updates)

    /// The one of the two keys that is given.
    public init?(epochs: Int?, updates: Int?) {
        if let updates {
            self = .updates(Updates(updates))
        } else if let epochs {
            self = .epochs(Epochs(epochs))
        } else {
            return nil
        }
    }
}

/// How updates count an epoch: the curves of the references run over epochs, micro-batches or updates.
public struct EpochClock: Sendable, Equatable {
    /// Micro-batches of an epoch on one rank; a partial group at the end is dropped.
    public let microBatches: Int
    /// Micro-batches of one update.
    public let accumulation: Int

    public init(microBatches: Int, accumulation: Int = 1) {
        precondition(accumulation >= 1 && microBatches >= accumulation, "an epoch has at least one update")
        self.microBatches = microBatches
        self.accumulation = accumulation
    }

    /// An epoch of whole groups.
    public init(updates: Int, accumulation: Int = 1) {
        self.init(microBatches: updates * accumulation, accumulation: accumulation)
    }

    /// Updates of an epoch.
    public var updates: Int { microBatches / accumulation }

    public func updates(in length: Length) -> Updates {
        switch length {
        case .epochs(let epochs): Updates(epochs.count * updates)
        case .updates(let updates): updates
        }
    }

    func microBatches(in length: Length) -> Int {
        switch length {
        case .epochs(let epochs): epochs.count * microBatches
        case .updates(let updates): updates.count * accumulation
        }
    }

    /// The whole epochs before an update.
    func epoch(of update: Int) -> Epochs { Epochs(update / updates) }

    /// Micro-batches of the run before the first one of an update.
    func firstMicroBatch(of update: Int) -> Int {
        update / updates * microBatches + update % updates * accumulation
    }

    /// Index of the micro-batch that ended the update before this one; 0 before the first.
    func lastMicroBatch(before update: Int) -> Int {
        guard update > 0 else { return 0 }
        return firstMicroBatch(of: update - 1) + accumulation - 1
    }
}
