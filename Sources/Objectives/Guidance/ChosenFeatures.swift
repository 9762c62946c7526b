import Autodiff
import Models

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
