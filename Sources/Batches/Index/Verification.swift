import Kernels
import Platform

extension SampleSource {
    /// Reads every sample and gives the bad ones with their reason, in the order of the set.
    /// - Parameter progress: called with samples done and samples in all, from any thread.
    public func verify(
        threads: Int = 4, progress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }
    ) -> [SampleError] {
        let found = Monitor([(index: Int, error: SampleError)]())
        let source = self
        sweep(count, threads: threads, named: "verify", progress: progress) { index, image, memory in
            do throws(SampleError) {
                if let grid = source.tokens {
                    if memory.ids.count != grid.count { memory.ids = Indices(zeros: grid.count) }
                    try source.readTokens(index, into: memory.ids)
                } else {
                    try source.read(index, into: &image, using: &memory)
                }
            } catch {
                found.update { $0.append((index, error)) }
            }
        }
        return found.update { $0.sorted { $0.index < $1.index }.map(\.error) }
    }
}

extension Manifest {
    /// Files that a folder gained and lost since its index was built; contents are not read.
    public struct Changes: Sendable, Equatable {
        /// Ready to print, in the order of the paths' bytes.
        public let added, missing: [String]
    }

    public func changes(in root: String) throws(DataError) -> Changes {
        let walk = try asDataError { () throws(FileError) in try FolderWalk(OpenFolder(root)) }
        let found = Set((0..<walk.count).map { Array(walk.paths[walk.starts[$0]..<walk.starts[$0 + 1]]) })
        let known = Set((0..<sections.faults.count).map { sections.path($0).array })
        func names(_ paths: Set<[UInt8]>) -> [String] {
            paths.sorted { $0.lexicographicallyPrecedes($1) }.map(readableName)
        }
        return Changes(added: names(found.subtracting(known)), missing: names(known.subtracting(found)))
    }
}

/// Goes once through the numbers 0..<`count` with several threads, each with an image and memory of its own.
/// - Parameter progress: called with samples done and samples in all, from any thread.
func sweep(
    _ count: Int, threads: Int, named name: String, progress: @escaping @Sendable (Int, Int) -> Void,
    _ body: @escaping @Sendable (Int, inout Image, inout ReadMemory) -> Void
) {
    let state = Monitor((next: 0, done: 0))
    let portion = 16
    let readers = (0..<max(1, threads)).map { number in
        Thread("\(name) \(number)") {
            var image = Image()
            var memory = ReadMemory()
            while true {
                let first = state.update { state in
                    defer { state.next = min(state.next + portion, count) }
                    return state.next
                }
                if first == count { return }
                let last = min(first + portion, count)
                for index in first..<last { body(index, &image, &memory) }
                let done = state.update { state in
                    state.done += last - first
                    return state.done
                }
                progress(done, count)
            }
        }
    }
    for reader in readers { reader.join() }
}
