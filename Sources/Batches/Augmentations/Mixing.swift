public import Kernels
public import Recipes

/// Images of a batch mixed in pairs with their targets: mixup (arXiv 1710.09412) and CutMix (arXiv 1905.04899).
/// Source: timm 0.4.12, `mixup`.
///
/// Neither the number of ranks nor that of micro-batches changes the result. The draws of mode `batch` belong to the
/// update, which has one λ and one box for its whole global batch (the reference draws for each rank); those of the
/// other modes belong to the sample. Partners are neighbours, so that they lie in the same micro-batch under any cut into
/// even parts; the reference pairs i with B - 1 - i. A batch is in random order, so both are a random pairing.
public struct Mixing: ImageAugmentation, Sendable, Equatable {
    public static let key = "images.mix"
    public static let meaning = "Mixup and CutMix, for classes; absent: none."

    public enum Mode: String, CaseIterable, Decodable, Sendable {
        /// One λ and box for all.
        case batch
        /// One for each image.
        case elem
        /// One for each pair.
        case pair
    }

    /// α of the distribution Beta(α, α) of λ; 0: never.
    public let mixup, cutmix: Double
    /// Probability of mixing at all, 0...1.
    public let probability: Double
    /// Probability of CutMix where both are on, 0...1.
    public let switching: Double
    /// Shares of height and width between which CutMix draws the sides of its box, independently; nil: from λ.
    public let sides: ClosedRange<Double>?
    public let mode: Mode
    public let partner: Recipe.Partner

    public init(
        mixup: Double, cutmix: Double, probability: Double = 1, switching: Double = 0.5,
        sides: ClosedRange<Double>? = nil, mode: Mode = .batch, partner: Recipe.Partner = .neighbour
    ) {
        precondition(mixup >= 0 && cutmix >= 0 && (0...1).contains(probability), "no negative α, a probability")
        self.mixup = mixup
        self.cutmix = cutmix
        self.probability = probability
        self.switching = switching
        self.sides = sides
        self.mode = mode
        self.partner = partner
    }

    /// Draws what happens to the images of one batch, or to one of them.
    public func draw(_ random: inout RandomStream, height: Int, width: Int) -> Mixture {
        let canCut = cutmix > 0 || sides != nil
        guard mixup > 0 || canCut, random.uniform() < probability else { return .unchanged }
        guard canCut, mixup == 0 || random.uniform() < switching else { return .blend(kept: random.beta(mixup)) }
        if let sides { return .paste(box(between: sides, &random, height: height, width: width)) }
        let share = random.beta(cutmix)
        let centre = (row: random.below(height), column: random.below(width))
        return .paste(CutMixBox(share: share, centre: centre, height: height, width: width))
    }

    private func box(
        between sides: ClosedRange<Double>, _ random: inout RandomStream, height: Int, width: Int
    ) -> CutMixBox {
        func side(_ extent: Int) -> (first: Int, length: Int) {
            let least = Int(Double(extent) * sides.lowerBound), most = Int(Double(extent) * sides.upperBound)
            let length = least + random.below(max(1, most - least))
            return (random.below(max(1, extent - length)), length)
        }
        let rows = side(height), columns = side(width)
        let box = Box(top: rows.first, left: columns.first, height: rows.length, width: columns.length)
        return CutMixBox(box, height: height, width: width)
    }

    /// Draws what happens to the samples of a batch.
    /// - Parameters:
    ///   - stream: of the update, which mode `batch` draws from.
    ///   - key: of the sample at a place, which the other modes draw with.
    public func mixtures(
        _ partners: [Int], _ stream: RandomStream, height: Int, width: Int, key: (Int) -> SampleKey
    ) -> [Mixture] {
        switch mode {
        case .batch:
            var random = stream
            return Array(repeating: draw(&random, height: height, width: width), count: partners.count)
        case .elem, .pair:
            return partners.indices.map { place in
                var random = key(mode == .elem ? place : min(place, partners[place])).stream(.mix)
                return draw(&random, height: height, width: width)
            }
        }
    }

    /// Mixes a complete batch with its targets.
    /// - Parameters:
    ///   - key: of the sample at a place of the batch.
    ///   - scratch: one image, or one target if that is longer.
    func apply(_ batch: Batch, seed: UInt64, scratch: Floats, key: (Int) -> SampleKey) {
        let shape = batch.shape
        let partners = partner.indices(batch.count)
        let mixtures = mixtures(
            partners, RandomStream(seed: seed, purpose: .mix, sample: UInt64(batch.update)), height: shape.height,
            width: shape.width, key: key)
        let images = Rows(values: batch.images, count: shape.imageCount, width: shape.width)
        let targets = Rows(values: batch.targets, count: shape.targetClasses, width: shape.targetClasses)
        Self.mix(images, targets, mixtures, partners, scratch: scratch)
    }
}

/// How one image takes from its partner.
public enum Mixture: Sendable, Equatable {
    case unchanged
    /// λ of the image and 1 - λ of its partner.
    case blend(kept: Double)
    /// A box of the partner is pasted.
    case paste(CutMixBox)

    /// The image's own share, the weight of its target.
    public var kept: Double {
        switch self {
        case .unchanged: 1
        case .blend(let kept): kept
        case .paste(let box): box.kept
        }
    }
}

extension Mixing {
    /// Samples of a batch: `count` floats each, in lines of `width` pixels of `channels` floats, or values.
    public struct Rows {
        let values: Floats
        let count, width, channels: Int

        /// - Parameter values: (B, H, W, C) with `count` H·W·C, or (B, K) with `count` and `width` K.
        public init(values: Floats, count: Int, width: Int, channels: Int = 3) {
            self.values = values
            (self.count, self.width, self.channels) = (count, width, channels)
        }

        subscript(_ sample: Int) -> Floats { values[sample * count..<(sample + 1) * count] }
    }

    /// Each sample takes from its partner as it was before the mixing.
    /// - Parameters:
    ///   - partners: each is the partner of its partner, or of none.
    ///   - scratch: one image, or one target if that is longer.
    public static func mix(
        _ images: Rows, _ targets: Rows, _ mixtures: [Mixture], _ partners: [Int], scratch: Floats
    ) {
        // Those whose partner has another one go first, while that is still unchanged; nobody takes from them.
        for sample in mixtures.indices where partners[partners[sample]] != sample {
            mix(images[sample], images[partners[sample]], mixtures[sample], images)
            blend(targets[sample], targets[partners[sample]], mixtures[sample].kept)
        }
        for sample in mixtures.indices {
            let partner = partners[sample]
            guard partners[partner] == sample, sample < partner else { continue }
            let before = (image: scratch[0..<images.count], target: scratch[0..<targets.count])
            before.image.copy(from: images[sample])
            mix(images[sample], images[partner], mixtures[sample], images)
            mix(images[partner], before.image, mixtures[partner], images)
            // The same memory, once the image is no longer needed.
            before.target.copy(from: targets[sample])
            blend(targets[sample], targets[partner], mixtures[sample].kept)
            blend(targets[partner], before.target, mixtures[partner].kept)
        }
    }

    private static func mix(_ image: Floats, _ partner: Floats, _ mixture: Mixture, _ form: Rows) {
        switch mixture {
        case .unchanged: break
        case .blend(let kept): blend(image, partner, kept)
        case .paste(let cut):
            for row in cut.box.top..<cut.box.top + cut.box.height {
                let start = (row * form.width + cut.box.left) * form.channels
                let line = start..<start + cut.box.width * form.channels
                image[line].copy(from: partner[line])
            }
        }
    }

    /// x = λ·x + (1 - λ)·partner, each weight rounded to Float.
    private static func blend(_ values: Floats, _ partner: Floats, _ kept: Double) {
        if kept == 1 { return }
        values.blend(keep: Float(kept), share: Float(1 - kept), of: partner)
    }
}

/// The part of an image that CutMix pastes from another one. Source: timm 0.4.12, `rand_bbox`: the box has even
/// extents before it is cut at the border.
public struct CutMixBox: Sendable, Equatable {
    public let box: Box
    /// Share of the image that stays: the weight of its own label.
    public let kept: Double

    /// - Parameters:
    ///   - share: of the image that is to stay, 0...1.
    ///   - centre: row and column, inside the image.
    public init(share: Double, centre: (row: Int, column: Int), height: Int, width: Int) {
        let side = (1 - share).squareRoot()
        let (halfHeight, halfWidth) = (Int(Double(height) * side) / 2, Int(Double(width) * side) / 2)
        let (top, bottom) = (max(0, centre.row - halfHeight), min(height, centre.row + halfHeight))
        let (left, right) = (max(0, centre.column - halfWidth), min(width, centre.column + halfWidth))
        box = Box(top: top, left: left, height: bottom - top, width: right - left)
        kept = 1 - Double(box.height * box.width) / Double(height * width)
    }

    /// A box that was drawn as such.
    public init(_ box: Box, height: Int, width: Int) {
        self.box = box
        kept = 1 - Double(box.height * box.width) / Double(height * width)
    }
}

extension Mixing {
    public struct Settings: RecipeSection {
        public let mixupAlpha, cutmixAlpha: Double
        public let prob, switchProb: Double
        public let mode: Mode
        public let partner: Recipe.Partner
        public let cutmixMinmax: [Double]?

        public static let defaults = [
            "prob": "1", "switch_prob": "0.5", "mode": "batch", "partner": "neighbour",
        ]
        public static let meanings = [
            "mixup_alpha": "alpha of mixup's Beta(alpha, alpha); 0: none.",
            "cutmix_alpha": "alpha of CutMix's Beta(alpha, alpha); 0: none.",
            "prob": "Probability of mixing at all, 0 to 1.",
            "switch_prob": "Probability of CutMix where both are on, 0 to 1.",
            "mode": "What one draw is for: the whole batch of an update, each image (elem) or each pair.",
            "partner":
                "neighbour: pairs next to each other, the same for any number of ranks; mirror: first and last of "
                + "each rank's micro-batch and so on, as the reference implementations do it.",
            "cutmix_minmax":
                "Least and greatest share of height and width that the box of CutMix has, in place of alpha; "
                + "absent: from alpha.",
        ]

        public func check(_ here: Here) {
            here.require(mixupAlpha >= 0, at: "mixup_alpha", "0 or more expected, found \(mixupAlpha)")
            here.require(cutmixAlpha >= 0, at: "cutmix_alpha", "0 or more expected, found \(cutmixAlpha)")
            here.require(
                mixupAlpha > 0 || cutmixAlpha > 0 || cutmixMinmax != nil, at: "",
                reading: ["mixup_alpha", "cutmix_alpha"],
                "mixup_alpha and cutmix_alpha are both 0; leave the section out")
            here.requireProbability(["prob": prob, "switch_prob": switchProb])
            if let sides = cutmixMinmax {
                here.require(
                    sides.count == 2 && sides[0] > 0 && sides[0] <= sides[1] && sides[1] <= 1, at: "cutmix_minmax",
                    "two shares above 0 to 1, the smaller one first, expected")
            }
        }
    }

    public init(_ settings: Settings) {
        self.init(
            mixup: settings.mixupAlpha, cutmix: settings.cutmixAlpha, probability: settings.prob,
            switching: settings.switchProb, sides: settings.cutmixMinmax.map { $0[0]...$0[1] }, mode: settings.mode,
            partner: settings.partner)
    }

    public static func check(_ settings: Settings, _ recipe: Recipe, _ here: Here) {
        recipe.requireClasses(here, toMixAt: key)
        let batch = recipe.batch
        here.recipe.require(
            settings.partner == .mirror || batch.global % (2 * batch.gradAccumSteps) == 0,
            at: "batch.global", reading: ["images.mix", "batch.grad_accum_steps"],
            "\(batch.global) samples do not divide into pairs in each of \(batch.gradAccumSteps) micro-batches, as "
                + "images.mix needs them")
    }

    public static func join(_ transform: inout ImageTransform, _ settings: Settings, _ recipe: Recipe) {
        transform.mixing = Mixing(settings)
    }
}

extension Recipe {
    /// - Parameter key: of the mixing.
    func requireClasses(_ here: Here, toMixAt key: String) {
        here.recipe.require(
            kind == .finetune, at: key, reading: ["kind"],
            "there are no classes to mix; only a recipe of kind 'finetune' has it")
    }
}

/// Mixup and CutMix of code vectors, with the keys of `Mixing`.
public enum TokenMixing: RecipePart {
    public static let key = "tokens.mix"
    public static let meaning = "Mixup and CutMix of the code vectors, for classes; absent: none."

    public static func check(_ settings: Mixing.Settings, _ recipe: Recipe, _ here: Here) {
        recipe.requireClasses(here, toMixAt: key)
    }
}

extension Recipe.Partner {
    /// The sample that each one is paired with; `count` is even for neighbours.
    public func indices(_ count: Int) -> [Int] {
        switch self {
        case .neighbour:
            precondition(count % 2 == 0, "neighbours are pairs")
            return (0..<count).map { $0 ^ 1 }
        case .mirror:
            if count % 2 == 0 { return (0..<count).map { count - 1 - $0 } }
            return (0..<count).map { $0 == count - 1 ? 0 : count - 2 - $0 }
        }
    }
}
