import Glibc

/// A clock that never steps back and has no date; comparable between the processes of one machine.
public enum MonotonicTime {
    /// Seconds since an arbitrary start.
    public static var now: Double { Double(nanoseconds) * 1e-9 }

    /// Nanoseconds since the same.
    public static var nanoseconds: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// A clock that runs while the calling thread computes: other work on the machine hardly changes what it measures.
public enum ThreadTime {
    /// Seconds since the thread began.
    public static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
