public import Kernels

/// Patches of a grid of tokens masked at random: the share that is masked is drawn anew for each update, the least share
/// is dropped besides, so that the encoder always sees as many. Source: arXiv 2312.10105, code naver-ai/seit.
public struct TokenMasking: Masking, Equatable {
    public let side: Int
    /// Distribution of the share of masked patches.
    public let share: TruncatedNormal

    public init(_ share: TruncatedNormal, side: Int) { (self.share, self.side) = (share, side) }

    public var cells: Int { side * side }
    public var visibleCells: Int? { cells - dropped }
    /// Patches of a sample that the encoder does not compute.
    public var dropped: Int { Self.patches(share.range.lowerBound, of: cells) }
    /// Patches of a sample that are to be predicted.
    /// - Parameter quantile: 0...1, one for all samples of an update.
    public func masked(at quantile: Double) -> Int { Self.patches(share.value(at: quantile), of: cells) }

    /// Patches that a share of `cells` stands for.
    public static func patches(_ share: Double, of cells: Int) -> Int {
        min(cells, Int((Double(cells) * share).rounded(.up)))
    }

    public func draw(_ key: SampleKey, update: Int, into mask: Floats) {
        var common = RandomStream(seed: key.seed, purpose: .maskRatio, sample: UInt64(update))
        var own = key.stream(.mask)
        draw(noise: (0..<cells).map { _ in own.uniform() }, masked: masked(at: common.uniform()), into: mask)
    }

    /// Masks the patches of the smallest noise, and drops the first of these.
    /// - Parameter noise: one number for each patch.
    public func draw(noise: [Double], masked: Int, into mask: Floats) {
        precondition(noise.count == cells && mask.count == cells, "noise or mask of another grid")
        precondition(dropped <= masked && masked <= cells, "fewer masked patches than dropped ones")
        let order = noise.indices.sorted { (noise[$0], $0) < (noise[$1], $1) }
        mask.fill(0)
        for (rank, patch) in order.prefix(masked).enumerated() { mask[patch] = rank < dropped ? 2 : 1 }
    }
}
