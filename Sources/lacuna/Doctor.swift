import ArgumentParser
import Cluster
import FoundationEssentials
import Kernels
import Objectives
import Platform
import Recipes
import Training

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Look for what keeps runs on this machine from working or from being fast.",
        discussion: """
            Examples:
              lacuna doctor
              lacuna doctor Recipes/simmim-vit_base-imagenet_1k-800ep.yaml --run runs/base
              mpirun -np 2 --map-by ppr:2:numa:PE=1 --bind-to core lacuna doctor \\
                --threads 1

            Start it as the run will be started: under mpirun it sees what the ranks see. Exit code 78 when there is a \
            problem; warnings do not count.
            """)

    @Argument(help: "A recipe whose needs in memory and disk are looked at too.")
    var recipe: String?

    @Option(name: .customLong("set"), help: "Change a key of the recipe. May be given several times.")
    var overrides: [String] = []

    @Option(name: .customLong("run"), help: "The run folder, which need not stand yet.")
    var folder = "runs"

    @Option(help: "Compute threads that each rank shall have.")
    var threads: Int?

    func run() throws {
        let environment = ProcessInfo.processInfo.environment
        let recipe = try recipe.map { try RecipeFile.load($0, overrides: overrides) }
        var report = DoctorReport()
        guard let group = join(environment, &report) else { throw ExitCode(78) }
        let level = try Session.level(environment)
        let processors = Processors.detected()
        let wanted = threads ?? recipe?.threads
        // Collective parts first: every rank takes part in them, rank 0 speaks.
        let places = try group.gather("\(processors.allowed) \(processors.quota ?? 0) \(level)")
        try group.barrier()
        let rate = MachineSpeed(threads: max(1, min(wanted ?? processors.usable, processors.usable)), level: level)
        try group.barrier()
        if group.rank == 0 {
            report.add(
                .binding(
                    places.map(RankPlace.init), hosts: group.hosts, wanted: wanted,
                    installed: ProcessInfo.processInfo.activeProcessorCount))
            report.add(.quota(processors))
            report.add(.levels(places.map(RankPlace.init), hosts: group.hosts))
            report.add(rate.finding)
            report.add(.clockSource(systemText(sources + "current_clocksource")))
            report.add(.governor(systemText("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")))
            report.add(.hugePages(systemText("/sys/kernel/mm/transparent_hugepage/enabled")))
            let plan = try recipe.map { try PlanSummary($0, ranks: group.size) }
            report.add(.memory(.detected(), needed: plan?.memoryBytes, ranks: group.localSize))
            report.add(.disk(folder, plan: plan))
            report.add(.interfaces(networkInterfaces(), environment: environment))
            report.add(.launchSignals(environment))
        }
        try group.finish()
        guard group.rank == 0 else { return }
        report.close()
        if report.hasProblem { throw ExitCode(78) }
    }

    private func machines(_ count: Int) -> String { "\(count) \(count == 1 ? "machine" : "machines")" }

    private var sources: String { "/sys/devices/system/clocksource/clocksource0/" }

    /// The group of this process; nil when the launcher and the library do not fit, which is said.
    private func join(_ environment: [String: String], _ report: inout DoctorReport) -> (any Communicator)? {
        let launch = LaunchEnvironment(environment)
        let launcher = Program(named: "mpirun", in: environment["PATH"] ?? "")
        do {
            let group = try launch.join()
            guard group.rank == 0 else { return group }
            report.add(
                .library(MPILibrary.text, builtWith: MPILibrary.builtWith, launcher: launcher?.output(["--version"])))
            report.add(
                launch.isLaunched
                    ? .ok("ranks", "\(group.size) on \(machines(Set(group.hosts).count))")
                    : .ok("ranks", "one process; start this under mpirun to look at what its ranks get"))
            return group
        } catch {
            report.add(.problem("ranks", "\(error)", "start it with the mpirun of the library that it was built with"))
            report.close()
            return nil
        }
    }
}

/// Finding of one check.
struct Finding: Equatable {
    enum Verdict: String { case ok, warning, problem }
    let verdict: Verdict
    /// Subject of the check, a word or two.
    let area: String
    let found: String
    /// Advice.
    let advice: String?

    static func ok(_ area: String, _ found: String) -> Finding {
        Finding(verdict: .ok, area: area, found: found, advice: nil)
    }
    static func warning(_ area: String, _ found: String, _ advice: String) -> Finding {
        Finding(verdict: .warning, area: area, found: found, advice: advice)
    }
    static func problem(_ area: String, _ found: String, _ advice: String) -> Finding {
        Finding(verdict: .problem, area: area, found: found, advice: advice)
    }
}

/// Findings, said as they come.
private struct DoctorReport {
    private var counts: [Finding.Verdict: Int] = [:]

    var hasProblem: Bool { counts[.problem] != nil }

    mutating func add(_ finding: Finding) {
        counts[finding.verdict, default: 0] += 1
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(1, width - text.count))
        }
        writeOutput(padded(finding.verdict.rawValue, 9) + padded(finding.area, 13) + finding.found + "\n")
        if let advice = finding.advice { writeOutput(padded("", 22) + "-> " + advice + "\n") }
    }

    func close() {
        let (problems, warnings) = (counts[.problem] ?? 0, counts[.warning] ?? 0)
        writeOutput("\(problems) \(problems == 1 ? "problem" : "problems"), ")
        writeOutput("\(warnings) \(warnings == 1 ? "warning" : "warnings")\n")
    }
}

/// Product rates of one thread and of several.
private struct MachineSpeed {
    let one, all: GEMMThroughput
    let level: InstructionLevel

    init(threads: Int, level: InstructionLevel) {
        self.level = level
        one = GEMMThroughput(measuring: WorkerPool(threads: 1, level: level))
        all = threads > 1 ? GEMMThroughput(measuring: WorkerPool(threads: threads, level: level)) : one
    }

    var finding: Finding {
        let (single, whole) = (one.flopsPerSecond / 1e9, all.flopsPerSecond / 1e9)
        let text =
            "products at \(fixed(single, digits: 1)) GFLOP/s with 1 thread"
            + (all.threads > 1 ? ", \(fixed(whole, digits: 1)) with \(all.threads)" : "")
        guard whole < 0.7 * single * Double(all.threads) else { return .ok("speed", text) }
        return .warning(
            "speed", text,
            "less than 70 % of \(all.threads) times one thread: other programs run here, or two threads share a core")
    }
}
