import Kernels

/// Slots in a circle, filled in order by several threads and taken in order by one. Batch i lies in slot i mod K.
/// Threads claim portions of the batch that is open, so that the first batch is there as soon as possible.
public final class BatchRing: Sendable {
    public let batches: [Batch]
    private let state: Monitor<State>
    private let portion: Int

    private enum Phase {
        case free, opening, filling
        /// Every sample is with a thread. Apart from `filling`, so that the next batch of this slot is not taken for open.
        case handedOut
        case ready, taken
    }

    private struct State {
        var phases: [Phase]
        /// Samples of each slot's batch that are not in yet.
        var missing: [Int]
        var failures: [DataError?]
        /// The batch that is being handed out, and its first sample not handed out; without one, the next to open.
        var open: Int
        var nextSample = 0
        /// The batch that the consumer takes next.
        var due: Int
        let end: Int
        var isStopped = false
        var waitSeconds = 0.0

        /// Nothing is left to claim. Batches before a failed one are claimed already, those after it never come.
        var isOver: Bool { isStopped || open >= end || failures.contains { $0 != nil } }
        var isDue: Bool {
            let slot = due % phases.count
            return isStopped || due >= end || phases[slot] == .ready || failures[slot] != nil
        }
    }

    /// The next work of a loading thread.
    enum Work {
        /// Decide which samples batch `number` holds.
        case open(number: Int, slot: Int)
        case fill(number: Int, slot: Int, samples: Range<Int>)
        case stop
    }

    /// - Parameters:
    ///   - slots: batches in memory; 2 is the least that lets loading and training overlap.
    ///   - numbers: the batches to come; a resumed run starts in the middle.
    ///   - portion: samples that a thread takes at a time.
    init(_ shape: BatchShape, slots: Int, numbers: Range<Int>, portion: Int) {
        precondition(slots > 0 && portion > 0, "a ring has slots, a portion has samples")
        batches = (0..<slots).map { _ in Batch(shape) }
        self.portion = portion
        state = Monitor(
            State(
                phases: Array(repeating: .free, count: slots), missing: Array(repeating: 0, count: slots),
                failures: Array(repeating: nil, count: slots), open: numbers.lowerBound, due: numbers.lowerBound,
                end: numbers.upperBound))
    }

    // MARK: Loading threads

    /// Waits for work.
    func claim() -> Work {
        let (slots, portion) = (batches.count, portion)
        return state.update(when: { state in
            if state.isOver { return true }
            switch state.phases[state.open % slots] {
            case .free, .filling: return true
            case .opening, .handedOut, .ready, .taken: return false
            }
        }) { state in
            guard !state.isOver else { return .stop }
            let (number, slot) = (state.open, state.open % slots)
            if state.phases[slot] == .free {
                state.phases[slot] = .opening
                return .open(number: number, slot: slot)
            }
            let size = self.batches[slot].count
            let samples = state.nextSample..<min(state.nextSample + portion, size)
            state.nextSample = samples.upperBound
            if samples.upperBound == size {
                state.phases[slot] = .handedOut
                state.open += 1
                state.nextSample = 0
            }
            return .fill(number: number, slot: slot, samples: samples)
        }
    }

    /// The samples of the batch in `slot` are decided; its `count` is set. The end of a set in stored order can leave
    /// a rank with an empty batch.
    func opened(_ slot: Int) {
        let count = batches[slot].count
        state.update { state in
            state.missing[slot] = count
            state.phases[slot] = count == 0 ? .ready : .filling
            if count == 0 { state.open += 1 }
        }
    }

    /// - Returns: true for the thread that filled in the last sample and completes the batch.
    func filled(_ slot: Int, _ count: Int) -> Bool {
        state.update { state in
            state.missing[slot] -= count
            return state.missing[slot] == 0
        }
    }

    func completed(_ slot: Int) { state.update { $0.phases[slot] = .ready } }

    /// The consumer gets the error in place of this batch, after all that come before it.
    func fail(_ slot: Int, _ error: DataError) {
        state.update { state in
            if state.failures[slot] == nil { state.failures[slot] = error }
        }
    }

    // MARK: The consumer

    /// The next batch; waits until it is complete. It stays the caller's until `release`.
    public func next() throws(DataError) -> Batch {
        let start = ContinuousClock.now
        let slots = batches.count
        return try state.update(when: \.isDue) { state throws(DataError) in
            let wait = (ContinuousClock.now - start).components
            state.waitSeconds += Double(wait.seconds) + Double(wait.attoseconds) * 1e-18
            let slot = state.due % slots
            if state.isStopped { throw DataError("batches", found: "loading was stopped") }
            precondition(state.due < state.end, "no batch after the last")
            if let error = state.failures[slot] { throw error }
            state.phases[slot] = .taken
            state.due += 1
            return self.batches[slot]
        }
    }

    /// Gives the slot back to the loading threads.
    public func release(_ batch: Batch) {
        let slot = batch.number % batches.count
        precondition(batches[slot] === batch, "a batch of another ring")
        state.update { state in
            precondition(state.phases[slot] == .taken, "a batch is released once, after it was taken")
            state.phases[slot] = .free
        }
    }

    /// Seconds the consumer has spent waiting for batches.
    public var waitSeconds: Double { state.update { $0.waitSeconds } }

    /// Ends all waiting; what is being read is finished first by its thread.
    public func stop() { state.update { $0.isStopped = true } }
}
