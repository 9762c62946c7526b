import Kernels
import Platform

/// Shared memory made of one part per local rank, mapped by all of them. Each rank makes its own part, so that its
/// pages lie in the memory next to its cores.
final class NodeMemory: Sendable {
    let parts: [SharedMemory]
    let localRank: Int

    init(parts: [SharedMemory], localRank: Int) {
        self.parts = parts
        self.localRank = localRank
    }

    var own: SharedMemory { parts[localRank] }
}

/// Gradient memory of all local ranks.
struct Window: Sendable {
    let parts: [Floats]
    /// Addresses of the parts, for the C loops.
    let addresses: Buffer<UInt>
    private let localRank: Int

    init(_ memory: NodeMemory, count: Int) {
        parts = memory.parts.map { $0.bytes.viewed(as: Float.self)[0..<count] }
        addresses = Buffer(parts.map(\.address))
        localRank = memory.localRank
    }

    /// The beginning of `floats` in this window, if it lies inside.
    func offset(of floats: Floats) -> Int? {
        let bytes = Int(floats.address) - Int(addresses[localRank])
        let offset = bytes / MemoryLayout<Float>.stride
        return bytes >= 0 && offset + floats.count <= parts[localRank].count ? offset : nil
    }
}

/// The windows of a job, shared by all its communicators.
final class Windows: Sendable {
    let list = Monitor<[Window]>([])

    func find(_ floats: Floats) -> (Window, Int)? {
        list.update { windows in
            for window in windows { if let offset = window.offset(of: floats) { return (window, offset) } }
            return nil
        }
    }
}

/// Small shared memory of one communicator. Each part: barrier (that of part 0 counts), heartbeat, two staging halves.
final class Control: @unchecked Sendable {
    static let halfBytes = 128 << 10
    static let bytes = 4096 + 2 * halfBytes
    let barrier: Bytes
    let heartbeats: [Heartbeat]
    private let halves: [(own: Bytes, addresses: Buffer<UInt>)]
    private var turn = 0
    private let localRank: Int

    init(_ memory: NodeMemory) {
        let parts = memory.parts.map(\.bytes)
        localRank = memory.localRank
        barrier = parts[0][0..<64]
        heartbeats = parts.map { Heartbeat(at: $0[64..<64 + 8 * Heartbeat.words].viewed(as: UInt64.self)) }
        halves = (0..<2).map { index in
            let shown = parts.map { $0[4096 + index * Self.halfBytes..<4096 + (index + 1) * Self.halfBytes] }
            return (shown[memory.localRank], Buffer(shown.map(\.address)))
        }
    }

    deinit { own.hasLeft = true }

    var own: Heartbeat { heartbeats[localRank] }

    func nextHalf() -> (own: Bytes, addresses: Buffer<UInt>) {
        turn = 1 - turn
        return halves[turn]
    }
}
