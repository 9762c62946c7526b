public import Kernels

/// A mask strategy: which patches of a sample are masked, drawn anew each time that the sample comes.
///
/// The mask of a sample is (side, side) floats, one for each patch of the encoder: 0 = visible, 1 = masked, and for an
/// encoder that drops a part of the masked patches 2 = masked and dropped.
public protocol Masking: Sendable {
    /// Patches along a side of a mask.
    var side: Int { get }
    /// Cells of a sample: squares of patches that are masked as wholes.
    var cells: Int { get }
    /// Cells of a sample that an encoder which drops what is masked computes. Nil where the samples of one batch may
    /// differ in it: such an encoder, whose rows are as many for each sample, then cannot be used.
    var visibleCells: Int? { get }
    /// Writes the mask of one sample, (side, side), with the sample's own draws.
    /// - Parameter update: keys what is drawn once for all samples of an update.
    func draw(_ key: SampleKey, update: Int, into mask: Floats)
}

extension Masking {
    /// Floats of the mask of a sample.
    public var count: Int { side * side }
}
