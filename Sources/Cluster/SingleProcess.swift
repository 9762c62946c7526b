public import Kernels
import Platform

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
