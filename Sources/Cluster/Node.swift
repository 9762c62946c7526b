import Kernels
import Platform

/// Shared state of the ranks of one node: their signs of life and, under MPI, memory.
public struct Node: Sendable {
    /// One per local rank.
    let heartbeats: [Heartbeat]
    /// Shared memory; nil in a single process and where the ranks cannot map each other's memory.
    let memory: NodeMemory?
    /// How the first rank of a node hears of the other nodes.
    let news: NodeNews?

    /// True when the process of a local rank is gone without having left the group.
    func isGone(localRank: Int) -> Bool {
        guard let memory, !heartbeats[localRank].hasLeft else { return false }
        // Asked twice: the rank may have left between the two looks.
        return memory.parts[localRank].makerIsGone && !heartbeats[localRank].hasLeft
    }
}

/// Words that one rank tells about itself. Each is written by one process and read by others, whole and aligned;
/// a reader may see it a moment late, never torn.
struct Heartbeat: Sendable {
    static let words = 8
    private let words: Buffer<UInt64>

    init(at words: Buffer<UInt64>) { self.words = words }

    /// Time of the last run of this rank's watchdog; stays the same in a stopped process. Nanoseconds of the node's
    /// clock.
    var alive: UInt64 {
        get { words[0] }
        nonmutating set { words[0] = newValue }
    }
    /// Time at which this rank last went on to another phase.
    var progress: UInt64 {
        get { words[1] }
        nonmutating set { words[1] = newValue }
    }
    /// The longest time that the present phase may take, in nanoseconds.
    var allowance: UInt64 {
        get { words[2] }
        nonmutating set { words[2] = newValue }
    }
    /// Raw value of the present phase.
    var phase: UInt64 {
        get { words[3] }
        nonmutating set { words[3] = newValue }
    }
    var step: UInt64 {
        get { words[4] }
        nonmutating set { words[4] = newValue }
    }
    /// True from the moment this rank has left the group in an orderly way.
    var hasLeft: Bool {
        get { words[5] != 0 }
        nonmutating set { words[5] = newValue ? 1 : 0 }
    }

    /// Number of this process in the whole group; -1 before it has said anything.
    var rank: Int {
        get { Int(words[6]) - 1 }
        nonmutating set { words[6] = UInt64(newValue + 1) }
    }
    /// True while this rank waits for others in a call of the group.
    var isWaiting: Bool {
        get { words[7] != 0 }
        nonmutating set { words[7] = newValue ? 1 : 0 }
    }

    /// Takes over what another rank told.
    func copy(from other: Heartbeat) { words.copy(from: other.words) }
}
