import Kernels

extension Buffer<Float> {
    /// Stores `other` here, or adds it to what is here. On the caller's thread: for a chunk of a split.
    func take(_ other: Floats, adding: Bool) {
        if adding {
            for index in 0..<count { self[index] += other[index] }
        } else {
            copy(from: other)
        }
    }
}
