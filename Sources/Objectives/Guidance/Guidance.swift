import Autodiff
import Batches
import Kernels
import Layers
public import Models
import Recipes

/// The places of a network that learns and of its guide that are compared, found before anything is recorded.
public struct Guidance: Sendable {
    public struct Pair: Sendable, Equatable {
        public let target, guide: FeaturePlace

        /// Such as `layer2.0.conv1/layer1.0.conv2`: target, then guide.
        public var name: String { "\(target.name)/\(guide.name)" }
    }

    public let settings: Settings
    public let image: ImageSpec
    public let pairs: [Pair]
    /// The guide's shape.
    let model: any EncoderSettings
    /// What is masked for both networks; nil: nothing. Of a grid of tokens both compute those that are not dropped, the
    /// visible ones are compared.
    let masking: (any Masking)?
    /// Both networks compute the visible cells only, which lie cell by cell.
    let isSparse: Bool
    /// What may be a mistake although it can be trained.
    public let remarks: [String]

    /// - Parameters:
    ///   - objective: of the network that learns.
    ///   - target: its encoder's shape.
    public init(
        _ settings: Settings, _ objective: any Objective, target: any EncoderSettings,
        guide model: any EncoderSettings, image: ImageSpec
    ) throws(ModelError) {
        (self.settings, self.model, self.image) = (settings, model, image)
        masking = objective.masking
        let masks = masking != nil
        try Self.checkReader(model, of: target)
        let targets = try target.featurePlaces(image).chosen(
            settings.targetTaps, masks: masks, at: "guidance.taps_target")
        let guides = try model.featurePlaces(image).chosen(settings.guideTaps, masks: masks, at: "guidance.taps_guide")
        pairs = LayerMap.pairs(
            guides: guides.count, targets: targets.count, keepingAll: settings.pairCollisions == .sum
        ).map { Pair(target: targets[$0.target], guide: guides[$0.guide]) }
        for (index, pair) in pairs.enumerated() where pairs[..<index].contains(pair) {
            throw ModelError(
                "guidance.taps_target", found: "\(pair.name) twice", expected: "different pairs",
                hint: "a tap may come twice with another one of the guide each time")
        }
        if settings.guideBn == .batch { try Self.checkStatistics(model, image: image) }
        isSparse = masks && objective.encoder is any HierarchicalEncoder
        remarks = Self.remarks(on: pairs.map(\.target))
        if masks && settings.comparison != .samples && settings.comparison != .pooled {
            throw ModelError(
                "guidance.form", found: settings.comparison.rawValue, expected: "samples or pooled",
                hint: "'\(type(of: objective).kind)' masks other positions of each image")
        }
        if isSparse, settings.guideView == .masked { try checkSparse(objective.encoder) }
        for pair in pairs { try check(pair) }
    }

    /// CKA ignores scale and shift: without a norm behind a tap its values can shrink to nothing beside their mean.
    private static func remarks(on targets: [FeaturePlace]) -> [String] {
        let bare = zip(targets, targets.dropFirst()).filter {
            $0.name != $1.name && $0.normsBefore == $1.normsBefore && $0.kind == .layer && $1.kind == .layer
        }
        guard let (first, second) = bare.first else { return [] }
        return [
            "no norm lies between \(first.name) and \(second.name), which are both guided: such networks have been "
                + "driven to chance; take fewer taps or a network with norms"
        ]
    }

    /// The guide of a network of tokens reads tokens too, in the same form.
    private static func checkReader(
        _ guide: any EncoderSettings, of target: any EncoderSettings
    ) throws(ModelError) {
        guard let target = target as? TokenTransformer.Settings else { return }
        let found = (guide as? TokenTransformer.Settings)?.input
        guard found == target.input else {
            throw ModelError(
                "guidance.guide_arch", found: found.map { "input '\($0.rawValue)'" } ?? "an encoder of images",
                expected: "\(TokenTransformerSection.kind) with input '\(target.input.rawValue)'",
                hint: "the guide reads the same tokens as the target")
        }
    }

    /// Batch norms alone take the statistics of a batch.
    private static func checkStatistics(_ guide: any EncoderSettings, image: ImageSpec) throws(ModelError) {
        let graph = Graph()
        _ = try guide.encoder(graph.scope, image: image, for: .classification)
        guard graph.buffers.contains(where: { !$0.isConstant }) else {
            throw ModelError(
                "guidance.guide_bn", found: "batch", expected: "eval", hint: "the guide has no batch norm")
        }
    }

    private func checkSparse(_ target: any Encoder) throws(ModelError) {
        let graph = Graph()
        let guide = try model.encoder(graph.scope, image: image, for: .classification)
        guard guide is any HierarchicalEncoder, guide.grid.stride == target.grid.stride else {
            throw ModelError(
                "guidance.guide_arch", found: "a network without maps of stride \(target.grid.stride)",
                expected: "a convnet of that stride", hint: "it has to see the same cells as the target")
        }
    }

    private func check(_ pair: Pair) throws(ModelError) {
        guard settings.comparison != .flatten else { return }
        for (place, side) in [(pair.target, "target"), (pair.guide, "guide")] {
            guard place.isWhole, positions(place, side == "guide") != nil else {
                throw ModelError(
                    "guidance.taps_\(side)", found: place.name,
                    expected: "a tap whose positions are parts of the image"
                        + (masking == nil ? "" : " no larger than a masked cell"),
                    hint: "choose another tap" + (masking == nil ? ", or form flatten" : ""))
            }
        }
        guard settings.comparison != .pooled else { return }
        let (target, guide) = (positions(pair.target, false) ?? 0, positions(pair.guide, true) ?? 0)
        guard target == guide else {
            throw ModelError(
                "guidance.form", found: "\(target) positions of \(pair.target.name), \(guide) of \(pair.guide.name)",
                expected: "as many on both sides", hint: "form pooled compares their means; or choose other taps")
        }
    }

    /// Positions of an image that go into a comparison: visible patches, of tokens those that are not dropped; nil where
    /// a position is no whole part of a cell.
    func positions(_ place: FeaturePlace, _ isGuide: Bool) -> Int? {
        let all = place.positions - place.leadingTokens
        if isGuide && settings.guideView == .full { return all }
        // What comes before the class token is of all tokens, dropped ones too.
        guard let masking else { return all }
        guard let visible = masking.visibleCells else { return nil }
        if masksTokens { return place.leadingTokens > 0 ? visible : nil }
        return all % masking.cells == 0 ? all / masking.cells * visible : nil
    }

    /// Whether what is masked are tokens.
    var masksTokens: Bool { masking != nil && image.tokens != nil }
}
