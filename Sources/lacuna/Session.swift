import Cluster
import FoundationEssentials
import Kernels
import Platform

/// What a process starts with: its place among the ranks, its compute threads and its wish to stop.
struct Session {
    let communicator: any Communicator
    let pool: WorkerPool
    let stop: StopRequest
    let console: Console

    /// - Parameter threads: compute threads; nil takes what the launcher left to this process.
    init(threads: Int?) throws {
        let environment = ProcessInfo.processInfo.environment
        stop = StopRequest.handlingSignals()
        communicator = try LaunchEnvironment(environment).join()
        console = Console(isHeard: communicator.rank == 0)
        let processors = Processors.detected()
        // Ranks that may run on the same processors share them; a rank bound to its own has them alone.
        let share = max(1, processors.usable / max(1, Self.ranksOnTheseProcessors(communicator, processors)))
        let wanted = threads ?? share
        if wanted > processors.usable {
            console.warn("\(wanted) threads asked for, \(processors.usable) processors to run on: taking those")
        }
        pool = WorkerPool(threads: min(wanted, processors.usable), level: try Self.level(environment))
    }

    private static func ranksOnTheseProcessors(_ communicator: any Communicator, _ processors: Processors) -> Int {
        let all = ProcessInfo.processInfo.activeProcessorCount
        return processors.allowed < all ? 1 : communicator.localSize
    }

    /// `LACUNA_LEVEL` pins the instruction level, so that nodes of different age compute alike.
    static func level(_ environment: [String: String]) throws -> InstructionLevel {
        guard let name = environment["LACUNA_LEVEL"] else { return .detected }
        guard let level = InstructionLevel(rawValue: name), level <= .detected else {
            throw EnvironmentError(
                "LACUNA_LEVEL=\(name): this processor runs \(InstructionLevel.allCases.filter { $0 <= .detected })")
        }
        return level
    }
}

/// The machine is not as the program needs it.
struct EnvironmentError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
