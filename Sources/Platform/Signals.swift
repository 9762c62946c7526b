import Glibc
import Synchronization

/// The wish to stop after this step, set by a signal: SIGUSR1 and SIGTERM (preemption) or SIGINT (a person). The
/// handler stores one number and nothing else, so it may interrupt any code; the trainer reads it once a step.
/// A second SIGINT ends the process at once; the last checkpoint is whole, because files take their name only when
/// they are complete.
public struct StopRequest: Sendable {
    /// Installs the handlers. Signals are a property of the process, so every value reads the same state.
    public static func handlingSignals() -> StopRequest {
        // Read once before a signal can come: the first access of a global must not happen inside the handler.
        _ = received.load(ordering: .relaxed)
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { signal in
            let earlier = received.exchange(signal, ordering: .sequentiallyConsistent)
            if signal == SIGINT && earlier == SIGINT { _exit(128 + SIGINT) }
        }
        // Interrupted reads and waits go on by themselves; nobody below the trainer needs to know of signals.
        action.sa_flags = SA_RESTART
        // The starter may have left them blocked; threads made later inherit this thread's mask.
        var open = sigset_t()
        sigemptyset(&open)
        for signal in [SIGUSR1, SIGTERM, SIGINT] {
            sigaction(signal, &action, nil)
            sigaddset(&open, signal)
        }
        pthread_sigmask(SIG_UNBLOCK, &open, nil)
        return StopRequest()
    }

    /// True when a signal asked to stop, or the program itself did.
    public var isSet: Bool { received.load(ordering: .relaxed) != 0 }

    /// The last signal that asked to stop, such as `SIGUSR1`; 0 when none did.
    public var signal: Int32 { received.load(ordering: .relaxed) }

    /// True after SIGTERM, which is also what a launcher sends when another rank has died.
    public var isTermination: Bool { signal == SIGTERM }

    /// Asks as SIGUSR1 does, for a time limit that the program watches itself.
    public func set() { received.store(SIGUSR1, ordering: .relaxed) }
}

/// The one mutable global of the process: a signal handler can reach nothing else.
private let received = Atomic<Int32>(0)

/// Ends the process without running anything else; safe from any thread at any time.
public func exitAtOnce(_ code: Int32) -> Never { _exit(code) }

/// Writes a line to standard error with one system call, so that the lines of several ranks do not mix.
public func writeError(_ line: String) {
    var text = line
    text.append("\n")
    text.withUTF8 { bytes in _ = write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
}

/// A file over the size limit shall give a write error, not end the process.
public func ignoreFileSizeSignal() { signal(SIGXFSZ, SIG_IGN) }
