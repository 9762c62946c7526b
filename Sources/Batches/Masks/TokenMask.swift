public import Kernels

/// Which patches of a grid of tokens are masked and which of those are dropped: the ones of the smallest draws.
/// Source: arXiv 2312.10105, code naver-ai/seit.
public enum TokenMask {
    /// Writes 0 for visible, 1 for masked, 2 for masked and dropped.
    /// - Parameter noise: one number for each patch.
    public static func hide(_ noise: [Double], masked: Int, dropped: Int, in mask: Floats) {
        precondition(noise.count == mask.count && dropped <= masked && masked <= mask.count, "patches of one grid")
        let order = noise.indices.sorted { (noise[$0], $0) < (noise[$1], $1) }
        mask.fill(0)
        for (rank, patch) in order.prefix(masked).enumerated() { mask[patch] = rank < dropped ? 2 : 1 }
    }
}
