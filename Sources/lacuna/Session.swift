import ArgumentParser
import Cluster
import FoundationEssentials
import Kernels
import Platform
import Training

/// Means of a process: its place among the ranks, its compute threads and its wish to stop.
struct Session {
    let communicator: any Communicator
    let pool: WorkerPool
    let stop: StopRequest
    let console: Console

    /// Joins the ranks of the job; alone without a launcher. From here on signals ask to stop.
    static func join() throws -> any Communicator {
        _ = StopRequest.handlingSignals()
        return try LaunchEnvironment(ProcessInfo.processInfo.environment).join()
    }

    /// - Parameters:
    ///   - threads: compute threads; nil takes what the launcher left to this process.
    ///   - communicator: from `join`.
    init(threads: Int?, on communicator: any Communicator) throws {
        stop = StopRequest.handlingSignals()
        self.communicator = communicator
        console = Console(isHeard: communicator.rank == 0)
        let processors = Processors.detected()
        // Ranks that may run on the same processors share them; a rank bound to its own has them alone.
        let share = max(1, processors.usable / max(1, Self.ranksOnTheseProcessors(communicator, processors)))
        let wanted = threads ?? share
        if wanted > processors.usable {
            console.warn("\(wanted) threads asked for, \(processors.usable) processors to run on: taking those")
        }
        pool = WorkerPool(
            threads: min(wanted, processors.usable), level: try Self.level(ProcessInfo.processInfo.environment))
    }

    init(threads: Int?) throws { try self.init(threads: threads, on: Self.join()) }

    /// Ends work that has no checkpoint of its own.
    func stopIfAsked() throws { if stop.isSet { throw StoppedBySignal() } }

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

/// Runs `body` so that the error of one rank ends all of them, with one text and the code that says why.
func amongRanks<Value>(of communicator: any Communicator, _ body: () throws -> Value) throws -> Value {
    do {
        return try body()
    } catch let error as SharedError {
        // Every rank is here.
        let codes = Doubles([Double(code(of: error))])
        try communicator.maximum(codes)
        if communicator.rank == 0 { writeError("lacuna: \(error)") }
        try communicator.finish()
        throw ExitCode(Int32(codes[0]))
    } catch  where communicator.size > 1 {
        // Other ranks may wait for this one: the whole job ends.
        writeError("lacuna: rank \(communicator.rank) on \(communicator.host): \(error)")
        communicator.abort(code: code(of: error))
    }
}

/// The machine is not as the program needs it.
struct EnvironmentError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
