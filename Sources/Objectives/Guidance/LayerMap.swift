/// Which layers of a guide are compared with which of a target: those of the guide are spread evenly over the target's.
/// Source: arXiv 2410.20035, code vsubramaniam851/untrainable-networks.
public enum LayerMap {
    /// The layer of the target for each layer of the guide; halves are rounded to even.
    public static func targets(guides: Int, targets: Int) -> [Int] {
        let step = guides > 1 ? Double(targets - 1) / Double(guides - 1) : 1
        return (0..<guides).map { min(Int((Double($0) * step).rounded(.toNearestOrEven)), targets - 1) }
    }

    /// The pairs that count, in the order in which the targets come first.
    /// - Parameter keepingAll: else only the last one of the guides that fall on one target counts.
    public static func pairs(guides: Int, targets: Int, keepingAll: Bool = false) -> [(target: Int, guide: Int)] {
        let map = Self.targets(guides: guides, targets: targets)
        return map.enumerated().compactMap { guide, target in
            keepingAll || !map[(guide + 1)...].contains(target) ? (target, guide) : nil
        }
    }
}
