import Kernels

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
