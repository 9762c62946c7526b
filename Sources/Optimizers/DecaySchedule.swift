/// The decay of an update. In SparK's pretraining it grows; the finetuning recipes keep it.
public enum DecaySchedule: Sendable, Equatable {
    case constant(Double)
    /// `end + (start - end)·(1 + cos(πs/(T-1)))/2` over the T updates of `epochs`.
    case cosine(start: Double, end: Double, epochs: Int)

    /// The decay in force during update `index` (from 0) of the run, for groups that decay.
    public func value(at index: Int, clock: EpochClock) -> Double {
        switch self {
        case .constant(let decay): return decay
        case .cosine(let start, let end, let epochs):
            return end + (start - end) * halfCosine(Double(index) / Double(max(epochs * clock.updates - 1, 1)))
        }
    }
}
