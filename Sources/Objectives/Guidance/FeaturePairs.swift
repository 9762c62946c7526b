import Autodiff
import Models

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

extension [FeaturePlace] {
    /// The taps that a list of names and presets means, in its order; those of a preset in the order in which the
    /// network runs. A tap that is named twice stands in two pairs.
    /// - Parameters:
    ///   - masks: whether the method masks a part of each sample.
    ///   - key: of the recipe, for messages.
    func chosen(_ names: [String], masks: Bool, at key: String) throws(ModelError) -> [FeaturePlace] {
        var chosen: [FeaturePlace] = []
        for name in names {
            let found =
                switch name {
                // A method that masks cells pools nothing.
                case "reference": filter { $0.isReference && !(masks && $0.kind == .pooled) }
                case "blocks": filter { $0.kind == .block }
                case "stages": filter { $0.kind == .stage }
                default: Array(filter { $0.name == name }.prefix(1))
                }
            guard !found.isEmpty else {
                let known = filter { $0.kind != .norm }.map(\.name)
                throw ModelError(
                    key, found: "'\(name)'",
                    expected: "reference, blocks, stages or one of "
                        + known.prefix(40).joined(separator: ", ") + (known.count > 40 ? ", …" : ""),
                    hint: "names are those inside the network")
            }
            chosen += found
        }
        return chosen
    }
}
