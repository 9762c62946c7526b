import Glibc
public import Kernels

/// Memory that several processes of one machine map. Its maker holds a lock on it for as long as the maker lives, so
/// that the others can tell a dead maker from a slow one, even when they cannot see its process id.
public final class SharedMemory: @unchecked Sendable {
    private let base: UnsafeMutableRawPointer
    private let size: Int
    private let descriptor: Int32
    private let name: String
    private var isNamed: Bool

    /// New zeroed memory under `name`, which begins with a slash. The pages are reserved at once: a full memory file
    /// system is an error here, not a bus error in the middle of a step.
    public init(creating name: String, bytes: Int) throws(FileError) {
        let descriptor = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0o600)
        guard descriptor >= 0 else { throw FileError(path: name, action: "create shared memory", code: errno) }
        let reserved = posix_fallocate(descriptor, 0, off_t(bytes))
        guard reserved == 0, flock(descriptor, LOCK_EX | LOCK_NB) == 0,
            let base = mapShared(descriptor, bytes)
        else {
            let code = reserved == 0 ? errno : reserved
            close(descriptor)
            shm_unlink(name)
            throw FileError(path: name, action: "reserve \(bytes) bytes of shared memory", code: code)
        }
        madvise(base, bytes, MADV_HUGEPAGE)
        (self.base, self.size, self.descriptor, self.name, isNamed) = (base, bytes, descriptor, name, true)
    }

    /// The memory that another process has made under `name`.
    public init(opening name: String, bytes: Int) throws(FileError) {
        let descriptor = shm_open(name, O_RDWR, 0)
        guard descriptor >= 0 else { throw FileError(path: name, action: "open shared memory", code: errno) }
        guard let base = mapShared(descriptor, bytes) else {
            let code = errno
            close(descriptor)
            throw FileError(path: name, action: "map shared memory", code: code)
        }
        (self.base, self.size, self.descriptor, self.name, isNamed) = (base, bytes, descriptor, name, false)
    }

    deinit {
        munmap(base, size)
        close(descriptor)
        removeName()
    }

    public var bytes: Bytes { Bytes(at: base.assumingMemoryBound(to: UInt8.self), count: size, keeping: self) }

    /// Takes the name away; the memory lives on for those who have mapped it, and nothing is left behind by a kill.
    public func removeName() {
        guard isNamed else { return }
        shm_unlink(name)
        isNamed = false
    }

    /// True when the process that made this memory, opened here, is gone.
    public var makerIsGone: Bool { flock(descriptor, LOCK_SH | LOCK_NB) == 0 && flock(descriptor, LOCK_UN) == 0 }

    /// A name that no other process of this machine uses.
    public static func freshName() -> String { "/lacuna-\(getpid())-\(MonotonicTime.nanoseconds)" }
}

private func mapShared(_ descriptor: Int32, _ bytes: Int) -> UnsafeMutableRawPointer? {
    let address = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, descriptor, 0)
    return address == MAP_FAILED ? nil : address
}

extension Buffer {
    /// The first element's address as a number, for comparing places in memory.
    public var address: UInt { UInt(bitPattern: pointer) }
}
