public import Autodiff
import Batches
public import Kernels
public import Layers
public import Models
import Recipes

/// A guide recorded in a graph of its own, which is never trained: what it is shown and what it hands over.
public struct GuideRecording {
    public let graph: Graph
    public let encoder: any Encoder
    public let images: Tensor
    public let mask: Tensor?
    /// For each pair: a Gram matrix, or the features themselves.
    public let outputs: [Tensor]
}

extension Guidance {
    /// Features as rows that can be compared: without leading tokens and masked positions, or their mean.
    /// - Parameter mask: of the batch; nil where the network sees everything.
    func rows(_ x: Tensor, _ place: FeaturePlace, _ groups: SampleGroups, isGuide: Bool, mask: Tensor?) -> Tensor {
        guard settings.comparison != .flatten, place.positions > 1 else { return x }
        // A convnet computes no rows of what is masked, a network of tokens those of mask tokens.
        let masked = isSparse || masksTokens ? nil : mask
        var x = x
        let positions = positions(place, isGuide) ?? place.positions
        if place.leadingTokens > 0 {
            let count = masked == nil ? positions : place.positions - place.leadingTokens
            x = TokenRange(place.leadingTokens..<place.leadingTokens + count)(x)
        }
        if let masked { x = VisibleRows(positions)(x, mask: masked) }
        if masksTokens, let mask { x = CentredVisible(groups)(x, mask: mask) }
        return settings.comparison == .pooled ? MeanPooling(0..<positions)(x) : x
    }

    /// How rows are compared; the mean over positions is one vector of an image.
    public var form: Comparison {
        switch settings.comparison {
        case .flatten, .pooled: .flatten
        case .samples: .samples
        case .tokenwise: .tokenwise
        }
    }

    /// Comparisons of a pair, whose distances are added.
    public func sets(of pair: Pair) -> Int { form == .tokenwise ? positions(pair.target, false) ?? 1 : 1 }

    /// Whether a pair is compared by Gram matrices, which cost less where there are fewer rows than features.
    public func usesGram(_ pair: Pair, _ groups: SampleGroups) -> Bool {
        let (x, y) = shapes(pair, samples: groups.samples)
        return !FeatureAlignment.isCheaper(x, y, form, groups)
    }

    /// What is compared of the target and of its guide.
    public func shapes(_ pair: Pair, samples: Int) -> (target: Shape, guide: Shape) {
        (shape(pair.target, false, samples), shape(pair.guide, true, samples))
    }

    private func shape(_ place: FeaturePlace, _ isGuide: Bool, _ samples: Int) -> Shape {
        switch settings.comparison {
        case .flatten: [samples, place.positions, place.channels]
        case .pooled: [samples, place.channels]
        case .samples, .tokenwise: [samples, positions(place, isGuide) ?? 0, place.channels]
        }
    }

    /// Records the guide for the batch of a rank. Its features are read tap by tap and need not stay.
    public func recordGuide(maskShape: Shape?, _ groups: SampleGroups) throws(ModelError) -> GuideRecording {
        let graph = Graph()
        let mask = settings.guideView == .full ? nil : maskShape.map { graph.input("mask", $0) }
        // A classifier of tokens knows no mask token.
        let encoder = try model.encoder(
            graph.scope, image: image, for: masksTokens && mask != nil ? .pretraining : .classification)
        let images = graph.input(
            "images", [groups.samples, image.side, image.side, encoder.inputChannels(image)])
        var outputs = [Tensor?](repeating: nil, count: pairs.count)
        graph.watching { tap in
            for (index, pair) in pairs.enumerated() where pair.guide.name == tap.name && outputs[index] == nil {
                let rows = rows(tap.value, pair.guide, groups, isGuide: true, mask: mask)
                outputs[index] = usesGram(pair, groups) ? CentredGram(form, groups)(rows) : rows
            }
        } _: {
            let visible = masking?.visibleCells
            if isSparse, let mask, let visible, let convnet = encoder as? any HierarchicalEncoder {
                _ = convnet.maps(images, cells: ActiveCells(mask: mask, visible: visible))
            } else if let mask, let visible, let transformer = encoder as? TokenTransformer {
                _ = transformer.latent(images, mask: mask, kept: visible)
            } else {
                _ = encoder.pooled(mask.map { VisiblePixels.of(images, mask: $0) } ?? images)
            }
        }
        if let missing = outputs.firstIndex(where: { $0 == nil }) {
            throw ModelError(
                "guidance.taps_guide", found: pairs[missing].guide.name, expected: "a tap that the guide computes here",
                hint: "a method that masks cells pools nothing")
        }
        return GuideRecording(
            graph: graph, encoder: encoder, images: images, mask: mask, outputs: outputs.compactMap(\.self))
    }
}
