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
