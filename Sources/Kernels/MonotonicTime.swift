import Glibc

/// A clock that never steps back and has no date.
public enum MonotonicTime {
    /// Seconds since an arbitrary start.
    public static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
