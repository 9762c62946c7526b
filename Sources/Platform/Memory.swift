/// Memory of this machine and what this process may take of it, bytes.
public struct Memory: Sendable, Equatable {
    public let installed: Int
    /// Bytes that can still be taken without swapping; a limit of the control group counts.
    public let available: Int
    /// The tightest limit of the control groups of this process; nil without one.
    public let limit: Int?

    /// Reads the system and the control groups (version 2 and 1).
    public static func detected() -> Memory {
        Memory(
            system: systemText("/proc/meminfo") ?? "", groups: systemText("/proc/self/cgroup") ?? "",
            under: "/sys/fs/cgroup")
    }

    /// - Parameters:
    ///   - system: text of `/proc/meminfo`.
    ///   - groups: text of `/proc/self/cgroup`.
    package init(system: String, groups: String, under root: String) {
        let installed = bytes(of: "MemTotal", in: system) ?? 0
        var available = bytes(of: "MemAvailable", in: system) ?? installed
        var limit: Int?
        for folder in Self.folders(groups, under: root) {
            let most = Self.number(folder + "/memory.max") ?? Self.number(folder + "/memory.limit_in_bytes")
            // A group of version 1 without a limit says a number near the largest integer.
            guard let most, most < installed else { continue }
            let used = Self.number(folder + "/memory.current") ?? Self.number(folder + "/memory.usage_in_bytes") ?? 0
            limit = min(limit ?? most, most)
            available = min(available, max(0, most - used))
        }
        (self.installed, self.available, self.limit) = (installed, available, limit)
    }

    /// Folders of the memory groups of this process and of all groups around them.
    private static func folders(_ groups: String, under root: String) -> [String] {
        var folders: [String] = []
        for line in groups.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let isUnified = fields[1].isEmpty
            guard isUnified || fields[1].split(separator: ",").contains("memory") else { continue }
            let start = isUnified ? root : root + "/" + fields[1]
            var path = fields[2]
            while true {
                folders.append(start + path)
                guard path.count > 1, let slash = path.lastIndex(of: "/") else { break }
                path = slash == path.startIndex ? "/" : path[..<slash]
            }
        }
        return folders
    }

    private static func number(_ path: String) -> Int? {
        systemText(path).flatMap { Int($0.prefix { $0 != "\n" }) }
    }
}

/// The most memory that this process has held at one time, bytes.
public func peakResidentBytes() -> Int { bytes(of: "VmHWM", in: systemText("/proc/self/status") ?? "") ?? 0 }

/// A line such as `VmHWM:   1234 kB`.
private func bytes(of key: String, in text: String) -> Int? {
    guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(key + ":") }) else { return nil }
    return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
}
