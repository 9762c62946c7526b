import Glibc

/// A process, told apart for good: process numbers are used again, so the start time and the machine belong to it.
public struct ProcessIdentity: Sendable, Equatable {
    public let pid: Int
    /// Clock ticks from the boot of the machine to the start of the process.
    public let startTicks: UInt64
    /// Boot and process namespace: only where both agree can process numbers be compared.
    public let machine: String

    public init(pid: Int, startTicks: UInt64, machine: String) {
        self.pid = pid
        self.startTicks = startTicks
        self.machine = machine
    }

    /// This process.
    public static var current: ProcessIdentity {
        let pid = Int(getpid())
        return ProcessIdentity(pid: pid, startTicks: startTicks(of: pid) ?? 0, machine: thisMachine)
    }

    /// Whether the process lives; nil where this machine cannot know.
    public var isAlive: Bool? {
        guard machine == Self.thisMachine else { return nil }
        return Self.startTicks(of: pid) == startTicks
    }

    /// The process that started this one; another number when that has ended.
    public static var parent: Int { Int(getppid()) }

    /// The name of this host, for messages.
    public static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "unknown" }
        return name.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } } ?? "unknown"
    }

    private static var thisMachine: String {
        let boot = systemText("/proc/sys/kernel/random/boot_id") ?? "?"
        var namespace = stat()
        let inode = stat("/proc/self/ns/pid", &namespace) == 0 ? UInt64(namespace.st_ino) : 0
        return boot.prefix { $0 != "\n" } + " \(inode)"
    }

    /// The start time; nil for a process that is gone, or dead and not yet collected by its parent.
    private static func startTicks(of pid: Int) -> UInt64? {
        // The second field is the program's name in parentheses and may hold spaces; fields are counted after it.
        guard let text = systemText("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 19, fields[0] != "Z", fields[0] != "X" else { return nil }
        return UInt64(fields[19])
    }
}
