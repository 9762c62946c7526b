public import Kernels

/// How masked token modelling hides patches: the share that is masked is drawn anew for each update, the least share is
/// dropped besides, so that the encoder always sees as many. Source: arXiv 2312.10105, code naver-ai/seit.
public struct TokenHiding: Sendable, Equatable {
    /// Of the share of masked patches.
    public let law: TruncatedNormal
    /// Patches along a side.
    public let side: Int

    public init(law: TruncatedNormal, side: Int) { (self.law, self.side) = (law, side) }

    public var patches: Int { side * side }
    /// Patches of a sample that the encoder does not see.
    public var dropped: Int { Self.count(law.range.lowerBound, of: patches) }
    public var kept: Int { patches - dropped }
    /// Patches of a sample that are to be predicted.
    /// - Parameter quantile: 0...1, one for all samples.
    public func masked(at quantile: Double) -> Int { Self.count(law.value(at: quantile), of: patches) }

    public static func count(_ share: Double, of patches: Int) -> Int {
        min(patches, Int((Double(patches) * share).rounded(.up)))
    }
}
