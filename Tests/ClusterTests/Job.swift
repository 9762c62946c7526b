import FoundationEssentials
import Glibc

/// A finished run of the probe program.
struct Job {
    let output: String
    let status: Int32
    let seconds: Double

    var lines: [String] { output.split(separator: "\n").map(String.init) }

    /// Why multi-rank tests cannot run here; nil when they can.
    static let obstacle: String? = {
        if Command.run("command -v mpirun").status != 0 { return "mpirun is not installed" }
        if probe == nil { return "the probe program was not built beside the tests" }
        return nil
    }()

    /// The probe lies beside the loaded test bundle.
    private static let probe: String? = {
        let maps = (try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8)) ?? ""
        for line in maps.split(separator: "\n") where line.hasSuffix(".xctest") {
            guard let start = line.firstIndex(of: "/"), let slash = line.lastIndex(of: "/") else { continue }
            let path = line[start...slash] + "ClusterProbe"
            if access(String(path), X_OK) == 0 { return String(path) }
        }
        return nil
    }()

    /// Runs the probe on `ranks` ranks. A job that hangs is ended after a minute and fails its test.
    /// - Parameter options: words for the probe, such as "ranksPerNode=2".
    static func run(_ verb: String, ranks: Int, _ options: [String] = [], environment: String = "") -> Job {
        let words = ([verb] + options).joined(separator: " ")
        return Command.run(
            "\(environment) timeout -k 2 60 mpirun --oversubscribe --allow-run-as-root --bind-to none -np \(ranks) "
                + "'\(probe ?? "")' \(words)")
    }

    /// Runs the probe with Launch/mpi-hosts on this machine and sends the script a signal once all ranks run.
    static func underScript(_ verb: String, ranks: Int, signal: String) -> Job {
        let script = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 } + "/Launch/mpi-hosts"
        let settings = "MPIRUN_OPTIONS='--allow-run-as-root --oversubscribe' THREADS=1 RANKS_PER_NUMA=\(ranks)"
        return Command.run(
            """
            log=$(mktemp); \(settings) LACUNA='\(probe ?? "")' sh '\(script)' - \(verb) >$log 2>&1 & job=$!; \
            for i in $(seq 200); do grep -q running $log && break; sleep 0.1; done; \
            kill -\(signal) $job; wait $job; code=$?; cat $log; rm $log; exit $code
            """)
    }

    /// Runs the probe without a launcher.
    static func runAlone(_ verb: String, environment: String = "") -> Job {
        Command.run("\(environment) timeout -k 2 60 '\(probe ?? "")' \(verb)")
    }
}

enum Command {
    static func run(_ command: String) -> Job {
        let start = ContinuousClock.now
        // Tests run on threads that block all signals, and a child inherits that: it would never hear of SIGTERM.
        var (none, blocked) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &blocked)
        defer { pthread_sigmask(SIG_SETMASK, &blocked, nil) }
        guard let stream = popen("{ \(command); } 2>&1", "r") else {
            return Job(output: "", status: -1, seconds: 0)
        }
        var bytes: [UInt8] = []
        var byte = fgetc(stream)
        while byte != EOF {
            bytes.append(UInt8(byte))
            byte = fgetc(stream)
        }
        let status = pclose(stream)
        let elapsed = start.duration(to: .now)
        return Job(
            output: String(decoding: bytes, as: UTF8.self),
            status: status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f),
            seconds: Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18)
    }
}
