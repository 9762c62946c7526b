import CKernels
import Glibc

/// A named system thread; `join` waits for its end.
public final class Thread: @unchecked Sendable {
    private var handle = pthread_t()
    public let name: String
    private let body: @Sendable () -> Void

    /// - Parameter name: shown by `top -H`; at most 15 bytes are kept.
    public init(_ name: String, _ body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
        let context = Unmanaged.passRetained(self).toOpaque()
        let code = pthread_create(
            &handle, nil,
            { context in
                guard let context else { return nil }
                let thread = Unmanaged<Thread>.fromOpaque(context).takeRetainedValue()
                ck_name_thread(thread.name)
                thread.body()
                return nil
            }, context)
        precondition(code == 0, "the system refuses another thread (error \(code))")
    }

    public func join() { pthread_join(handle, nil) }
}

/// State guarded by a mutex, with a condition to wait on.
public final class Monitor<State>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var state: State

    public init(_ state: State) {
        self.state = state
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` alone with the state, then wakes every waiter.
    public func update<Result, Failure: Error>(_ body: (inout State) throws(Failure) -> Result) throws(Failure)
        -> Result
    {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_broadcast(condition)
            pthread_mutex_unlock(mutex)
        }
        return try body(&state)
    }

    /// Waits until `isReady` holds, then runs `body` alone with the state and wakes every waiter.
    public func update<Result, Failure: Error>(
        when isReady: (State) -> Bool, _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        while !isReady(state) { pthread_cond_wait(condition, mutex) }
        defer {
            pthread_cond_broadcast(condition)
            pthread_mutex_unlock(mutex)
        }
        return try body(&state)
    }
}

/// Lets another thread of this core run.
func yieldProcessor() { sched_yield() }
