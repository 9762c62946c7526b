import Kernels

/// How fast a folder takes in what must last.
public struct DiskSpeed: Sendable {
    /// Seconds to make a file of one page durable: what each checkpoint pays several times.
    public let secondsPerFlush: Double
    public let bytesPerSecond: Double

    /// Writes and removes two files in `folder`, which exists.
    public init(measuring folder: String) throws(FileError) {
        secondsPerFlush = try Self.seconds(toWrite: 4096, folder)
        let bytes = 32 << 20
        bytesPerSecond = Double(bytes) / max(try Self.seconds(toWrite: bytes, folder), 1e-9)
    }

    private static func seconds(toWrite bytes: Int, _ folder: String) throws(FileError) -> Double {
        let path = folder + "/.disk-speed-\(ProcessIdentity.current.pid)"
        let content = Bytes(zeros: bytes)
        content.fill(0x5A)
        let start = MonotonicTime.now
        let file = try OutputFile(replacing: path)
        try file.write(content)
        try file.commit()
        let seconds = MonotonicTime.now - start
        try removePath(path)
        return seconds
    }
}
