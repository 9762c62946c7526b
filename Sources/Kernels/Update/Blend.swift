import CKernels

extension Floats {
    /// x = keep·x + share·other, on the calling thread.
    public func blend(keep: Float, share: Float, of other: Floats) {
        precondition(other.count == count, "operands of different size")
        InstructionLevel.detected.table.pointee.update.blend(keep, base, share, other.base, count)
    }
}
