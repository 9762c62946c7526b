import Cluster
import Platform
import Recipes
import Training

// One look each, as a function of what the system said, so that every verdict can be tested anywhere.

/// Means of a rank: processors of its affinity, the quota of its control group, its instruction level.
struct RankPlace: Equatable {
    let allowed: Int
    let quota: Double?
    let level: String

    /// The text `allowed quota level`, with 0 for no quota.
    init(_ text: String) {
        let fields = text.split(separator: " ")
        allowed = fields.first.flatMap { Int($0) } ?? 1
        quota = fields.dropFirst().first.flatMap { Double($0) }.flatMap { $0 > 0 ? $0 : nil }
        level = fields.dropFirst(2).first.map(String.init) ?? ""
    }
}

extension Finding {
    static func library(_ text: String, builtWith: String, launcher: String?) -> Finding {
        let loaded = MPILibrary.version(in: text)
        let name = text.split(separator: ",").first.map(String.init) ?? "unknown MPI library"
        guard loaded?.split(separator: ".").first == builtWith.split(separator: ".").first else {
            return .problem(
                "MPI", "\(name) is loaded, the program was built with \(builtWith)",
                "build again here, or load the module that it was built with")
        }
        guard let launcher else {
            return .warning(
                "MPI", "\(name); no mpirun on the PATH",
                "one process works; for more install openmpi-bin or load the cluster's Open MPI module")
        }
        let started = MPILibrary.version(in: launcher)
        guard started == loaded else {
            return .problem(
                "MPI", "\(name) is loaded, mpirun is \(started ?? "of another kind")",
                "put the mpirun of that library first on the PATH: the ranks would not find each other")
        }
        return .ok("MPI", "\(name), mpirun of the same version")
    }

    /// - Parameters:
    ///   - wanted: threads of a rank; nil when nobody said.
    ///   - installed: processors of the machine.
    static func binding(_ places: [RankPlace], hosts: [String], wanted: Int?, installed: Int) -> Finding {
        let fewest = places.map(\.allowed).min() ?? 1
        let threads = wanted ?? (places.count > 1 && fewest == 1 && installed > places.count ? 2 : 1)
        let short = places.indices.filter { places[$0].allowed < threads }
        guard let first = short.first else {
            return .ok(
                "binding",
                places.count == 1
                    ? "this process may use \(fewest) of \(installed) processors"
                    : "each of \(places.count) ranks may use at least \(fewest) processors")
        }
        let who = places.count == 1 ? "this process" : "rank \(first) on \(hosts[first])"
        let more = short.count > 1 ? " (and \(short.count - 1) more)" : ""
        return .warning(
            "binding",
            "\(who)\(more) may use \(places[first].allowed) of \(installed) processors, for \(threads) threads",
            "mpirun --map-by ppr:N:numa:PE=\(threads) --bind-to core ... with N ranks a NUMA domain; "
                + "the default for up to two ranks is one core each")
    }

    static func quota(_ processors: Processors) -> Finding {
        guard let quota = processors.quota, quota < Double(processors.allowed) else {
            return .ok("quota", "the control group grants all \(processors.allowed) processors")
        }
        return .warning(
            "quota", "the control group grants \(fixed(quota, digits: 1)) of \(processors.allowed) processors",
            "use \(processors.usable) \(processors.usable == 1 ? "thread" : "threads"), or ask for a larger share: "
                + "threads above it are stopped again and again")
    }

    static func levels(_ places: [RankPlace], hosts: [String]) -> Finding {
        let found = Set(places.map(\.level)).sorted()
        guard found.count > 1 else {
            let level = found.first ?? ""
            guard level == "baseline" else { return .ok("instructions", "level \(level)") }
            return .warning(
                "instructions", "level baseline: no AVX2 here, or LACUNA_LEVEL holds it down",
                "steps are several times slower than on a processor with AVX2")
        }
        let odd = found.compactMap { level in places.firstIndex { $0.level == level }.map { "\(level) on \(hosts[$0])" }
        }
        return .warning(
            "instructions", odd.joined(separator: ", "),
            "LACUNA_LEVEL=\(found[0]) on all ranks makes them compute alike; the slowest node sets the pace anyway")
    }

    static func clockSource(_ text: String?) -> Finding {
        guard let source = text?.split(separator: "\n").first.map(String.init) else {
            return .ok("clock", "its source is not shown here")
        }
        guard ["hpet", "acpi_pm", "jiffies"].contains(source) else { return .ok("clock", source) }
        return .warning(
            "clock", "the system reads its time from \(source), which is slow",
            "boot with clocksource=tsc if the processor's counter is reliable")
    }

    static func governor(_ text: String?) -> Finding {
        guard let governor = text?.split(separator: "\n").first.map(String.init) else {
            return .ok("frequency", "its governor is not shown here")
        }
        guard governor == "powersave" || governor == "conservative" else { return .ok("frequency", governor) }
        return .warning(
            "frequency", "governor \(governor)",
            "cpupower frequency-set -g performance, if steps are slower than planned")
    }

    static func hugePages(_ text: String?) -> Finding {
        guard let text, text.contains("[never]") else { return .ok("huge pages", "granted where they are asked for") }
        return .warning(
            "huge pages", "switched off", "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled, as root")
    }

    /// - Parameters:
    ///   - needed: bytes of one rank; nil without a recipe.
    ///   - ranks: of this machine.
    static func memory(_ memory: Memory, needed: Int?, ranks: Int) -> Finding {
        var text = "\(sizeText(memory.available)) of \(sizeText(memory.installed)) to be had"
        if let limit = memory.limit { text += ", the control group's limit is \(sizeText(limit))" }
        guard let needed else { return .ok("memory", text) }
        text += "; the recipe needs \(sizeText(needed * ranks)) for \(ranks) \(ranks == 1 ? "rank" : "ranks") here"
        guard needed * ranks > memory.available else { return .ok("memory", text) }
        return .problem(
            "memory", text, "more ranks on more machines, fewer ranks a machine, or a larger batch.grad_accum_steps")
    }

    /// Looks at the folder or, while it does not stand, at the one that it will stand in.
    static func disk(_ folder: String, plan: PlanSummary?) -> Finding {
        var path = folder
        while FileStatus(path, followingLinks: true) == nil, let slash = path.lastIndex(of: "/") {
            path = slash == path.startIndex ? "/" : String(path[..<slash])
        }
        if FileStatus(path, followingLinks: true) == nil { path = "." }
        do {
            let free = try Folder(path).freeBytes()
            let speed = try DiskSpeed(measuring: path)
            return Self.disk(path, free: free, speed: speed, plan: plan)
        } catch {
            return .problem("disk", "\(error)", "name a folder that this user may write to with --run")
        }
    }

    static func disk(_ path: String, free: Int, speed: DiskSpeed, plan: PlanSummary?) -> Finding {
        let flush = fixed(speed.secondsPerFlush * 1000, digits: 1)
        var text = "\(path): \(sizeText(free)) free, \(sizeText(Int(speed.bytesPerSecond)))/s, \(flush) ms a flush"
        if let plan, let checkpoint = plan.recipe.checkpoint {
            // While one is written the old ones still stand.
            let needed = (checkpoint.keepLast + 1) * plan.checkpointBytes
            text += "; \(checkpoint.keepLast) checkpoints and one being written take \(sizeText(needed))"
            if needed > free {
                return .problem("disk", text, "another disk with --run, or a smaller checkpoint.keep_last")
            }
        }
        if free < 1 << 30 { return .warning("disk", text, "less than 1 GiB is soon full: another disk with --run") }
        guard speed.secondsPerFlush < 0.2, speed.bytesPerSecond > 20e6 else {
            return .warning(
                "disk", text, "checkpoints will take long here: another disk, or a larger checkpoint interval")
        }
        return .ok("disk", text)
    }

    static func interfaces(_ names: [String], environment: [String: String]) -> Finding {
        let traps = strayInterfaces(names)
        let text = names.joined(separator: ", ")
        guard !traps.isEmpty else { return .ok("network", text) }
        let chosen = environment.keys.sorted().filter { $0.hasPrefix("OMPI_MCA_btl_tcp_if_") }
        guard chosen.isEmpty else { return .ok("network", "\(text); \(chosen.joined(separator: ", ")) is set") }
        let excluded = (["lo"] + traps).joined(separator: ",")
        return .warning(
            "network", "\(text): \(traps.joined(separator: ", ")) lead nowhere",
            "with several machines: mpirun --mca btl_tcp_if_exclude \(excluded) --mca oob_tcp_if_exclude \(excluded) ..."
        )
    }

    /// mpirun turns its own SIGTERM into a second of life for the ranks, and a death into a wait of this length.
    static func launchSignals(_ environment: [String: String]) -> Finding {
        let seconds = environment["OMPI_MCA_odls_base_sigkill_timeout"].flatMap { Int($0) } ?? 1
        guard seconds > 5 else {
            return .ok(
                "signals",
                "stop a job with SIGUSR1 to mpirun: after SIGTERM the ranks have \(seconds) s, too few to save")
        }
        return .warning(
            "signals", "OMPI_MCA_odls_base_sigkill_timeout=\(seconds)",
            "after a rank's death mpirun waits out that time, twice; leave it at 1 and stop jobs with SIGUSR1 to mpirun"
        )
    }
}
