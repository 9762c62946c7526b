public import Kernels
import Platform

public typealias Doubles = Buffer<Double>

/// A group of ranks that compute together. Every call except `abort` is collective: all ranks make it in the same
/// order, from one thread at a time; two threads use two communicators (`duplicate`). Sums have the same bits on
/// every rank.
public protocol Communicator: AnyObject, Sendable {
    /// Number of this process, 0..<size.
    var rank: Int { get }
    var size: Int { get }
    /// Number of this process among those of its node, 0..<localSize.
    var localRank: Int { get }
    var localSize: Int { get }
    /// Machine names, one per rank.
    var hosts: [String] { get }
    /// Facts that the ranks of this node know of each other.
    var node: Node { get }
    /// Remarks for the log about how this group works: what was done instead of the usual.
    var remarks: [String] { get }

    /// Replaces the values by their sum over all ranks. Fastest on memory from `allocate`.
    func sum(_ floats: Floats) throws(ClusterError)
    /// The same for a few scalars: losses, weights, norms.
    func sum(_ doubles: Doubles) throws(ClusterError)
    /// Replaces the values by their maximum over all ranks.
    func maximum(_ doubles: Doubles) throws(ClusterError)
    /// Copies the bytes of rank 0 to every rank; all give the same count.
    func broadcast(_ bytes: Bytes) throws(ClusterError)
    /// The texts of all ranks in their order on rank 0, nothing elsewhere.
    func gather(_ text: String) throws(ClusterError) -> [String]
    /// Returns when every rank has called.
    func barrier() throws(ClusterError)

    /// Zeroed memory for gradients, the same count on each rank. The ranks of one node can read each other's.
    func allocate(_ count: Int) throws(ClusterError) -> Floats
    /// The same ranks with a channel of their own, for another thread.
    func duplicate() throws(ClusterError) -> any Communicator
    /// Leaves the group; no call may follow, on duplicates neither.
    func finish() throws(ClusterError)
    /// Ends all ranks at once.
    func abort(code: Int32) -> Never
}

extension Communicator {
    /// Name of the machine of this rank.
    public var host: String { hosts[rank] }

    /// The text of rank 0, on every rank.
    public func broadcast(_ text: String) throws(ClusterError) -> String {
        let count = Buffer<Int64>([Int64(text.utf8.count)])
        try broadcast(count.viewed(as: UInt8.self))
        let bytes = Bytes(zeros: Int(count[0]))
        if rank == 0 { bytes.copy(from: Array(text.utf8)) }
        try broadcast(bytes)
        return String(decoding: bytes.array, as: UTF8.self)
    }
}

/// One process alone: every sum is already complete, and MPI is never called.
public final class SingleProcess: Communicator {
    public let rank = 0
    public let size = 1
    public let localRank = 0
    public let localSize = 1
    public let hosts: [String]
    public let remarks: [String] = []
    public let node = Node(heartbeats: [Heartbeat(at: Buffer(zeros: Heartbeat.words))], memory: nil, news: nil)

    public init() { hosts = [ProcessIdentity.hostName] }

    public func sum(_ floats: Floats) {}
    public func sum(_ doubles: Doubles) {}
    public func maximum(_ doubles: Doubles) {}
    public func broadcast(_ bytes: Bytes) {}
    public func gather(_ text: String) -> [String] { [text] }
    public func barrier() {}
    public func allocate(_ count: Int) -> Floats { Floats(zeros: count) }
    public func duplicate() -> any Communicator { SingleProcess() }
    public func finish() {}
    public func abort(code: Int32) -> Never { exitAtOnce(code) }
}
