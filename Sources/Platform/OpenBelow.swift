import Glibc
import Kernels

/// Opens `name`, relative to the folder behind the descriptor. A name longer than the system takes at once is walked
/// in pieces, so that its length does not matter. Returns -1 and sets `errno` like `open`.
func openBelow(_ folder: Int32, _ name: Bytes, _ flags: Int32) -> Int32 {
    let longest = 4_000
    var (at, from, isOwned) = (folder, 0, false)
    defer { if isOwned { close(at) } }
    while name.count - from > longest {
        guard let cut = (from..<from + longest).last(where: { name[$0] == UInt8(ascii: "/") }), cut > from else {
            errno = ENAMETOOLONG
            return -1
        }
        let next = withCString(of: (from..<cut).lazy.map { name[$0] }) {
            openat(at, $0, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        }
        if isOwned { close(at) }
        (at, from, isOwned) = (next, cut + 1, next >= 0)
        if next < 0 { return -1 }
    }
    return withCString(of: (from..<name.count).lazy.map { name[$0] }) { openat(at, $0, flags) }
}

func withCString<Result>(of name: some Collection<UInt8>, _ body: (UnsafePointer<CChar>) -> Result) -> Result {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: name.count + 1) { buffer in
        var at = 0
        for byte in name {
            buffer[at] = CChar(bitPattern: byte)
            at += 1
        }
        buffer[at] = 0
        guard let start = buffer.baseAddress else { preconditionFailure("an allocation has an address") }
        return body(start)
    }
}
