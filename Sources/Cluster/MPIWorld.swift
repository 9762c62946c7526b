import COpenMPI
public import Kernels
import Platform

/// The ranks of an MPI job. Inside a node sums go through shared memory: each rank adds its slice of the values of
/// all local ranks in a fixed order and writes the result to all of them, between two barriers that sleep. Between
/// nodes the ranks of equal local number add their slices with MPI. What does not fit this scheme is one MPI call.
///
/// 88 MB between two ranks of a busy 2-core machine: 15-60 ms here, 130-225 ms in `MPI_Allreduce`, which also spins.
@safe public final class MPIWorld: Communicator, @unchecked Sendable {
    public let rank: Int
    public let size: Int
    public let localRank: Int
    public let localSize: Int
    public let hosts: [String]
    public let node: Node

    private let group: MPI_Comm?
    private let layout: Layout
    private let isCanonical: Bool
    private let windows: Windows
    private let control: Control?
    private let notes = Monitor<[String]>([])
    /// Memory that the tree between nodes receives into; grows to the largest sum and then stays.
    private var received = Bytes(zeros: 4096)

    public var remarks: [String] { notes.update { $0 } }

    /// Starts MPI. Once per process, from the first thread.
    /// - Parameter ranksPerNode: takes so many consecutive ranks for a node instead of asking the machine: lets one
    ///   machine play several nodes in tests.
    public convenience init(isCanonical: Bool = false, ranksPerNode: Int? = nil) throws(ClusterError) {
        var granted: Int32 = 0
        let code = unsafe lacuna_mpi_start(&granted)
        try Cluster.check(code, "MPI_Init_thread", rank: 0)
        guard granted >= lacuna_mpi_needed_level() else {
            throw .threadLevel(granted: Int(granted), needed: Int(lacuna_mpi_needed_level()))
        }
        unsafe try self.init(
            group: lacuna_mpi_world(), windows: Windows(), isCanonical: isCanonical, ranksPerNode: ranksPerNode)
    }

    private init(
        group: MPI_Comm?, windows: Windows, isCanonical: Bool, ranksPerNode: Int?
    ) throws(ClusterError) {
        let layout = try unsafe Layout(group: group, ranksPerNode: ranksPerNode)
        unsafe self.group = group
        self.layout = layout
        (rank, size, localRank, localSize) = (layout.rank, layout.size, layout.localRank, layout.localSize)
        hosts = layout.hosts
        self.isCanonical = isCanonical
        self.windows = windows
        if let memory = try layout.share(bytes: Control.bytes) {
            let control = Control(memory)
            self.control = control
            var news: NodeNews?
            if layout.nodes > 1 && layout.localRank == 0 {
                news = unsafe NodeNews(
                    leaders: layout.across, me: layout.nodeIndex, count: layout.nodes,
                    bytes: layout.largestNode * Heartbeat.words * 8)
            }
            node = Node(heartbeats: control.heartbeats, memory: memory, news: news)
        } else {
            control = nil
            let heartbeats = (0..<layout.localSize).map { _ in Heartbeat(at: Buffer(zeros: Heartbeat.words)) }
            node = Node(heartbeats: heartbeats, memory: nil, news: nil)
        }
    }

    // MARK: Sums

    public func sum(_ floats: Floats) throws(ClusterError) {
        if size == 1 || floats.count == 0 { return }
        node.heartbeats[localRank].isWaiting = true
        defer { node.heartbeats[localRank].isWaiting = false }
        if let control, let (window, offset) = windows.find(floats), layout.nodes == 1 || layout.isEven {
            try sumInWindow(floats, window, offset, control)
        } else if let control, layout.nodes == 1 {
            unsafe stage(floats, control) { unsafe lacuna_tree_sum_floats($0, $1, 0, $2, $3, 0) }
        } else if isCanonical {
            try unsafe treeSum(floats, group) { unsafe lacuna_add_floats($0, $1, $2) }
        } else {
            try unsafe librarySum(floats, group)
        }
    }

    public func sum(_ doubles: Doubles) throws(ClusterError) {
        if size == 1 || doubles.count == 0 { return }
        node.heartbeats[localRank].isWaiting = true
        defer { node.heartbeats[localRank].isWaiting = false }
        if let control, layout.nodes == 1 {
            unsafe stage(doubles, control) { unsafe lacuna_tree_sum_doubles($0, $1, 0, $2, $3, 0) }
        } else if isCanonical {
            try unsafe treeSum(doubles, group) { unsafe lacuna_add_doubles($0, $1, $2) }
        } else {
            let code = unsafe lacuna_mpi_sum_doubles(doubles.pointer, Int32(doubles.count), group)
            try check(code, "MPI_Allreduce of \(doubles.count) doubles")
        }
    }

    public func maximum(_ doubles: Doubles) throws(ClusterError) {
        node.heartbeats[localRank].isWaiting = true
        defer { node.heartbeats[localRank].isWaiting = false }
        let code = unsafe lacuna_mpi_maximum(doubles.pointer, Int32(doubles.count), group)
        try check(code, "MPI_Allreduce (maximum)")
    }

    private func sumInWindow(
        _ floats: Floats, _ window: Window, _ offset: Int, _ control: Control
    ) throws(ClusterError) {
        // Slices end at whole cache lines, so that two ranks never write the same one.
        let perRank = ((floats.count + localSize - 1) / localSize + 15) / 16 * 16
        let begin = min(floats.count, localRank * perRank)
        let end = min(floats.count, begin + perRank)
        let slice = floats[begin..<end]
        let members = window.addresses
        wait(control)
        unsafe lacuna_tree_sum_floats(
            members.pointer, Int32(localSize), offset + begin, slice.count, slice.pointer, layout.nodes == 1 ? 1 : 0)
        if layout.nodes > 1 {
            if isCanonical && layout.treesCompose {
                try unsafe treeSum(slice, layout.across) { unsafe lacuna_add_floats($0, $1, $2) }
            } else {
                try unsafe librarySum(slice, layout.across)
            }
            for other in 0..<localSize where other != localRank {
                window.parts[other][offset + begin..<offset + end].copy(from: slice)
            }
        }
        wait(control)
    }

    /// Each rank shows its values in the staging part of shared memory, and after one barrier adds those of all. The
    /// two halves take turns: whoever writes a half again has passed a barrier that every reader of it has reached.
    private func stage<Element>(
        _ values: Buffer<Element>, _ control: Control,
        _ add: (UnsafePointer<UInt>, Int32, Int, UnsafeMutablePointer<Element>) -> Void
    ) {
        let room = Control.halfBytes / MemoryLayout<Element>.stride
        var start = 0
        while start < values.count {
            let chunk = values[start..<min(values.count, start + room)]
            let half = control.nextHalf()
            half.own.viewed(as: Element.self)[0..<chunk.count].copy(from: chunk)
            wait(control)
            unsafe add(half.addresses.pointer, Int32(localSize), chunk.count, chunk.pointer)
            start += chunk.count
        }
    }

    /// Adds along the binary tree over the ranks of `members`, then hands the result to all.
    private func treeSum<Element>(
        _ values: Buffer<Element>, _ members: MPI_Comm?,
        _ add: (UnsafePointer<Element>, UnsafeMutablePointer<Element>, Int) -> Void
    ) throws(ClusterError) {
        var (me, count): (Int32, Int32) = (0, 0)
        unsafe MPI_Comm_rank(members, &me)
        unsafe MPI_Comm_size(members, &count)
        let largest = 1 << 27
        let room = min(largest, values.count) * MemoryLayout<Element>.stride
        if received.count < room { received = Bytes(zeros: room) }
        let scratch = received.viewed(as: Element.self)
        for start in stride(from: 0, to: values.count, by: largest) {
            let part = values[start..<min(values.count, start + largest)]
            let other = scratch[0..<part.count]
            let bytes = Int32(part.count * MemoryLayout<Element>.stride)
            var step: Int32 = 1
            while step < count {
                if me % (2 * step) == step {
                    try unsafe check(lacuna_mpi_send(part.pointer, bytes, me - step, 1, members), "MPI_Send")
                    break
                }
                if me + step < count {
                    try unsafe check(lacuna_mpi_receive(other.pointer, bytes, me + step, 1, members), "MPI_Recv")
                    unsafe add(other.pointer, part.pointer, part.count)
                }
                step *= 2
            }
            try unsafe check(lacuna_mpi_broadcast(part.pointer, bytes, 0, members), "MPI_Bcast of a sum")
        }
    }

    private func librarySum(_ floats: Floats, _ members: MPI_Comm?) throws(ClusterError) {
        let largest = 1 << 30
        for start in stride(from: 0, to: floats.count, by: largest) {
            let part = floats[start..<min(floats.count, start + largest)]
            let code = unsafe lacuna_mpi_sum_floats(part.pointer, Int32(part.count), members)
            try check(code, "MPI_Allreduce of \(part.count) floats")
        }
    }

    // MARK: Texts, bytes, barrier

    public func broadcast(_ bytes: Bytes) throws(ClusterError) {
        try unsafe check(lacuna_mpi_broadcast(bytes.pointer, Int32(bytes.count), 0, group), "MPI_Bcast")
    }

    public func gather(_ text: String) throws(ClusterError) -> [String] {
        let texts = try unsafe allTexts(text, group, rank: rank, size: size)
        return rank == 0 ? texts : []
    }

    public func barrier() throws(ClusterError) {
        node.heartbeats[localRank].isWaiting = true
        defer { node.heartbeats[localRank].isWaiting = false }
        if let control, layout.nodes == 1 { wait(control) } else { try unsafe check(MPI_Barrier(group), "MPI_Barrier") }
    }

    // MARK: Group

    public func allocate(_ count: Int) throws(ClusterError) -> Floats {
        let bytes = (count * MemoryLayout<Float>.stride + 4095) / 4096 * 4096
        guard control != nil, let memory = try layout.share(bytes: bytes) else {
            notes.update {
                $0.append(
                    "gradients lie in private memory: no \(bytes >> 20) MiB of shared memory on every node; "
                        + "sums inside a node are slower (is /dev/shm large enough, do the ranks share one container?)")
            }
            return Floats(zeros: count)
        }
        let window = Window(memory, count: count)
        windows.list.update { $0.append(window) }
        return window.parts[localRank]
    }

    public func duplicate() throws(ClusterError) -> any Communicator {
        var copy = unsafe lacuna_mpi_none()
        try unsafe check(MPI_Comm_dup(group, &copy), "MPI_Comm_dup")
        return unsafe try MPIWorld(
            group: copy, windows: windows, isCanonical: isCanonical, ranksPerNode: layout.ranksPerNode)
    }

    public func finish() throws(ClusterError) {
        try unsafe check(MPI_Barrier(group), "MPI_Barrier")
        node.heartbeats[localRank].hasLeft = true
        try check(MPI_Finalize(), "MPI_Finalize")
    }

    public func abort(code: Int32) -> Never {
        unsafe MPI_Abort(group, code)
        exitAtOnce(code)
    }

    private func wait(_ control: Control) {
        unsafe lacuna_barrier_wait(
            UnsafeMutableRawPointer(control.barrier.pointer).assumingMemoryBound(to: lacuna_barrier.self),
            UInt32(localSize))
    }

    private func check(_ code: Int32, _ call: String) throws(ClusterError) {
        try Cluster.check(code, call, rank: rank)
    }
}

/// Which ranks share a node, and the channels between them.
@safe private struct Layout {
    /// All ranks; those of this node; those of equal local number, one per node.
    let group, local, across: MPI_Comm?
    /// True when every node holds the same number of ranks, so that equal slices meet.
    let isEven: Bool
    let rank, size, localRank, localSize, nodes, nodeIndex, largestNode: Int
    /// True when the tree inside nodes and the tree between nodes together are the tree over all ranks.
    let treesCompose: Bool
    let hosts: [String]
    /// Set when one machine plays several nodes.
    let ranksPerNode: Int?

    init(group: MPI_Comm?, ranksPerNode: Int?) throws(ClusterError) {
        unsafe self.group = group
        var (rank, size, localRank, localSize, nodeIndex): (Int32, Int32, Int32, Int32, Int32) = (0, 0, 0, 0, 0)
        unsafe lacuna_mpi_return_errors(group)
        unsafe MPI_Comm_rank(group, &rank)
        unsafe MPI_Comm_size(group, &size)
        (self.rank, self.size, self.ranksPerNode) = (Int(rank), Int(size), ranksPerNode)
        var local = unsafe lacuna_mpi_none()
        if let ranksPerNode {
            try unsafe check(
                MPI_Comm_split(group, rank / Int32(ranksPerNode), rank, &local), "MPI_Comm_split", rank: Int(rank))
        } else {
            try unsafe check(lacuna_mpi_split_nodes(group, &local), "MPI_Comm_split_type", rank: Int(rank))
        }
        unsafe lacuna_mpi_return_errors(local)
        unsafe MPI_Comm_rank(local, &localRank)
        unsafe MPI_Comm_size(local, &localSize)
        unsafe self.local = local
        (self.localRank, self.localSize) = (Int(localRank), Int(localSize))

        // -least is the maximum of the negated values: one call for both ends.
        let extremes = Doubles([Double(localSize), -Double(localSize)])
        try unsafe check(lacuna_mpi_maximum(extremes.pointer, 2, group), "MPI_Allreduce (maximum)", rank: Int(rank))
        largestNode = Int(extremes[0])
        isEven = extremes[0] == -extremes[1]
        let leaders = Doubles([localRank == 0 ? 1 : 0])
        try unsafe check(lacuna_mpi_sum_doubles(leaders.pointer, 1, group), "MPI_Allreduce (nodes)", rank: Int(rank))
        nodes = Int(leaders[0])
        var across = unsafe lacuna_mpi_none()
        try unsafe check(MPI_Comm_split(group, localRank, rank, &across), "MPI_Comm_split", rank: Int(rank))
        unsafe lacuna_mpi_return_errors(across)
        unsafe self.across = across
        unsafe MPI_Comm_rank(across, &nodeIndex)
        self.nodeIndex = Int(nodeIndex)
        let isInPlace = isEven && rank == nodeIndex * localSize + localRank && localSize.nonzeroBitCount == 1
        let verdict = Doubles([isInPlace ? 0 : 1])
        try unsafe check(lacuna_mpi_maximum(verdict.pointer, 1, group), "MPI_Allreduce (maximum)", rank: Int(rank))
        treesCompose = verdict[0] == 0
        hosts = try unsafe allTexts(ProcessIdentity.hostName, group, rank: Int(rank), size: Int(size))
    }

    /// One part of `bytes` per local rank, mapped by all ranks of the node; nil on every rank of the job where any
    /// rank cannot.
    func share(bytes: Int) throws(ClusterError) -> NodeMemory? {
        let names = try unsafe allTexts(SharedMemory.freshName(), local, rank: localRank, size: localSize)
        let mine = try? SharedMemory(creating: names[localRank], bytes: bytes)
        // The first agreement also says that every part has been made, the second that every part has been mapped.
        guard try agree(mine != nil), let mine else { return nil }
        var parts: [SharedMemory] = []
        for (index, name) in names.enumerated() {
            if index == localRank {
                parts.append(mine)
            } else if let part = try? SharedMemory(opening: name, bytes: bytes) {
                parts.append(part)
            }
        }
        guard try agree(parts.count == localSize) else { return nil }
        mine.removeName()
        return NodeMemory(parts: parts, localRank: localRank)
    }

    private func agree(_ isWell: Bool) throws(ClusterError) -> Bool {
        let verdict = Doubles([isWell ? 0 : 1])
        try unsafe check(lacuna_mpi_maximum(verdict.pointer, 1, group), "MPI_Allreduce (maximum)", rank: Int(rank))
        return verdict[0] == 0
    }
}

/// Signs of life between nodes: the first rank of each node sends its table to the first rank of every other one.
/// Nothing here waits: a message that does not get through is itself the news.
@safe final class NodeNews: @unchecked Sendable {
    private let leaders: MPI_Comm?
    private let me: Int
    private let outgoing, incoming: Bytes
    private let requests: Buffer<UInt>

    /// - Parameter bytes: size of the largest table.
    fileprivate init(leaders: MPI_Comm?, me: Int, count: Int, bytes: Int) {
        unsafe self.leaders = leaders
        self.me = me
        (outgoing, incoming) = (Bytes(zeros: count * bytes), Bytes(zeros: bytes))
        requests = Buffer((0..<count).map { _ in unsafe UInt(bitPattern: lacuna_mpi_no_request()) })
    }

    /// Sends `table`, which is no larger than agreed, and hands every table that has come to `read`.
    func exchange(_ table: Bytes, _ read: (Bytes) -> Void) {
        for other in 0..<requests.count where other != me {
            let request = unsafe UnsafeMutableRawPointer(requests[other..<other + 1].pointer)
                .assumingMemoryBound(to: MPI_Request?.self)
            let room = outgoing[other * incoming.count..<(other + 1) * incoming.count]
            if unsafe lacuna_mpi_is_done(request) != 0 {
                room[0..<table.count].copy(from: table)
                unsafe lacuna_mpi_post(room.pointer, Int32(room.count), Int32(other), leaders, request)
            }
            var came: Int32 = 0
            unsafe lacuna_mpi_collect(incoming.pointer, Int32(incoming.count), Int32(other), leaders, &came)
            if came != 0 { read(incoming) }
        }
    }
}

/// The texts of all ranks of a group, on each of them.
private func allTexts(_ text: String, _ group: MPI_Comm?, rank: Int, size: Int) throws(ClusterError) -> [String] {
    let width = Doubles([Double(text.utf8.count)])
    var code = unsafe lacuna_mpi_maximum(width.pointer, 1, group)
    let field = Int(width[0]) + 8
    let (mine, all) = (Bytes(zeros: field), Bytes(zeros: field * size))
    mine[0..<8].viewed(as: Int64.self)[0] = Int64(text.utf8.count)
    mine[8..<8 + text.utf8.count].copy(from: Array(text.utf8))
    if code == 0 { code = unsafe lacuna_mpi_share(mine.pointer, Int32(field), all.pointer, group) }
    try check(code, "MPI_Allgather", rank: rank)
    return (0..<size).map { other in
        let field = all[other * field..<(other + 1) * field].array
        let count = field[0..<8].enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        return String(decoding: field[8..<8 + count], as: UTF8.self)
    }
}

private func check(_ code: Int32, _ call: String, rank: Int) throws(ClusterError) {
    if code != 0 {
        throw .call(call, rank: rank, host: ProcessIdentity.hostName, bucket: nil, reason: reasonText(code))
    }
}

/// The library's own words for an error code.
private func reasonText(_ code: Int32) -> String {
    let text = Buffer<CChar>(zeros: Int(MPI_MAX_ERROR_STRING))
    var count: Int32 = 0
    guard unsafe MPI_Error_string(code, text.pointer, &count) == 0 else { return "error \(code)" }
    return String(decoding: text.array.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
