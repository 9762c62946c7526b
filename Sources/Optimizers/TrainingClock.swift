/// Where a run stands. The networks of a run take turns: each goes through the whole set before the next one does, and an
/// epoch is over when all have.
public struct TrainingClock: Sendable, Equatable {
    /// Updates tried, skipped ones included: the data follow it.
    public private(set) var step: Int
    /// Updates done by each network: update rule, gradient noise and ramps follow its own.
    public private(set) var updatesOfNetworks: [Int]
    /// Updates of one network in an epoch.
    public let updatesPerPass: Int
    public let globalBatch: Int

    public init(updatesPerPass: Int, globalBatch: Int, step: Int = 0, updatesOfNetworks: [Int] = [0]) {
        precondition(!updatesOfNetworks.isEmpty, "at least one network")
        (self.updatesPerPass, self.globalBatch) = (updatesPerPass, globalBatch)
        (self.step, self.updatesOfNetworks) = (step, updatesOfNetworks)
    }

    public var networks: Int { updatesOfNetworks.count }
    /// Updates of an epoch, of all networks.
    public var updatesPerEpoch: Int { updatesPerPass * networks }
    public var epoch: Int { step / updatesPerEpoch }
    public var samplesSeen: Int { step * globalBatch }
    /// Updates done by all networks.
    public var updates: Int {
        var sum = 0
        for updates in updatesOfNetworks { sum += updates }
        return sum
    }

    /// The network whose turn it is.
    public var network: Int { step / updatesPerPass % networks }
    /// Updates that this network has tried: its schedule follows it.
    public var ownStep: Int { epoch * updatesPerPass + step % updatesPerPass }
    /// Updates that each network has tried at least: the last one trails.
    public var leastOwnStep: Int { network == networks - 1 ? ownStep : epoch * updatesPerPass }
    /// Updates that this network has done.
    public var ownUpdates: Int { updatesOfNetworks[network] }

    public mutating func tick(isSkipped: Bool) {
        if !isSkipped { updatesOfNetworks[network] += 1 }
        step += 1
    }
}
