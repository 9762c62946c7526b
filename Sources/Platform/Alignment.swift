public import Kernels

extension Buffer {
    /// Whether the first element stands where an element of `type` may.
    public func isAligned<Other: BitwiseCopyable>(for type: Other.Type) -> Bool {
        UInt(bitPattern: pointer) % UInt(MemoryLayout<Other>.alignment) == 0
    }
}
