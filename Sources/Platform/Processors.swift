import Glibc

/// How much of this machine the process may use.
public struct Processors: Sendable, Equatable {
    /// Hardware threads on which the system may run this process.
    public let allowed: Int
    /// Processor time per second that the control group grants; nil without a limit.
    public let quota: Double?

    public init(allowed: Int, quota: Double?) {
        self.allowed = allowed
        self.quota = quota
    }

    /// Threads that can really run at the same time: at least 1.
    public var usable: Int { max(1, min(allowed, quota.map { Int($0.rounded(.down)) } ?? allowed)) }

    /// Reads affinity and control groups (version 2 and 1).
    public static func detected() -> Processors {
        Processors(allowed: affinityCount(), quota: quota(groups: text("/proc/self/cgroup"), under: "/sys/fs/cgroup"))
    }

    /// The tightest processor limit of the groups of this process and of all groups around them.
    package static func quota(groups: String, under root: String) -> Double? {
        var tightest: Double?
        for line in groups.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let isUnified = fields[1].isEmpty
            guard isUnified || fields[1].split(separator: ",").contains("cpu") else { continue }
            var path = String(fields[2])
            while true {
                let folder = isUnified ? root + path : root + "/" + fields[1] + path
                let limit = isUnified ? unifiedLimit(text(folder + "/cpu.max")) : oldLimit(folder)
                if let limit { tightest = min(tightest ?? limit, limit) }
                guard path.count > 1, let slash = path.lastIndex(of: "/") else { break }
                path = slash == path.startIndex ? "/" : String(path[..<slash])
            }
        }
        return tightest
    }

    /// `cpu.max` holds "quota period" in microseconds, or "max period".
    package static func unifiedLimit(_ text: String) -> Double? {
        let fields = text.split { $0 == " " || $0 == "\n" }
        guard fields.count == 2, let quota = Double(fields[0]), let period = Double(fields[1]) else { return nil }
        return period > 0 ? quota / period : nil
    }

    /// Processors in a list such as "0-3,8".
    package static func count(inList text: String) -> Int {
        text.split { $0 == "," || $0 == " " || $0 == "\t" }.reduce(0) { sum, part in
            let ends = part.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last, last >= first else { return sum }
            return sum + last - first + 1
        }
    }

    private static func oldLimit(_ folder: String) -> Double? {
        let quota = Double(text(folder + "/cpu.cfs_quota_us").split(separator: "\n").first ?? "") ?? -1
        let period = Double(text(folder + "/cpu.cfs_period_us").split(separator: "\n").first ?? "") ?? 0
        return quota > 0 && period > 0 ? quota / period : nil
    }
}

private func affinityCount() -> Int {
    // The C function for this needs a feature macro that Swift's importer does not set; the kernel prints the same.
    let line = text("/proc/self/status").split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") }
    let count = Processors.count(inList: line.map { String($0.dropFirst("Cpus_allowed_list:".count)) } ?? "")
    return count > 0 ? count : max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
}

/// The beginning of a small system file; empty when it cannot be read.
private func text(_ path: String) -> String { systemText(path) ?? "" }
