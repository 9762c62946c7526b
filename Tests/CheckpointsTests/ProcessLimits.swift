import Glibc

/// Lets this process take `bytes` more of memory, and no more.
func limitData(to bytes: UInt) throws {
    guard let file = fopen("/proc/self/statm", "r") else { throw LimitError() }
    defer { fclose(file) }
    var text = [CChar](repeating: 0, count: 256)
    guard fgets(&text, 256, file) != nil else { throw LimitError() }
    let fields = text.prefix { $0 != 0 }.split(separator: CChar(32)).map {
        String(decoding: $0.map(UInt8.init), as: UTF8.self)
    }
    // The sixth field is data and stack, in pages.
    guard fields.count > 5, let pages = UInt(fields[5]) else { throw LimitError() }
    var limit = rlimit(rlim_cur: pages * UInt(getpagesize()) + bytes, rlim_max: .max)
    guard setrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &limit) == 0 else { throw LimitError() }
}

/// Files of this process end at `bytes`: writing on is refused with an error instead of a signal.
func limitFiles(to bytes: UInt) throws {
    signal(SIGXFSZ, SIG_IGN)
    var limit = rlimit(rlim_cur: bytes, rlim_max: .max)
    guard setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0 else { throw LimitError() }
}

struct LimitError: Error {}
