public import Recipes

extension Guidance {
    /// Features are drawn towards those of a frozen network that sees the same batch: the loss is that of the objective
    /// plus alpha times the distances 1 - CKA between pairs of places. Source: arXiv 2410.20035.
    public struct Settings: RecipeSection {
        /// What is compared with what, for pairs of networks that are known to go together.
        public enum Preset: String, CaseIterable, Decodable, Sendable {
            case cratemaeViT = "cratemae_vit"
            case sparkPlain = "spark_plain"
            case simmimSwin = "simmim_swin"
            case seitViT = "seit_vit"
            case fcnResNet = "fcn_resnet"
        }

        public enum AlphaSchedule: String, CaseIterable, Decodable, Sendable { case constant, cosine }
        public enum Reduction: String, CaseIterable, Decodable, Sendable { case sum, mean }
        public enum Collisions: String, CaseIterable, Decodable, Sendable { case last, sum }
        public enum Form: String, CaseIterable, Decodable, Sendable { case flatten, samples, pooled, tokenwise }
        public enum Scope: String, CaseIterable, Decodable, Sendable { case group, local }
        public enum Statistics: String, CaseIterable, Decodable, Sendable { case eval, batch }
        public enum View: String, CaseIterable, Decodable, Sendable { case masked, full }
        public enum Input: String, CaseIterable, Decodable, Sendable { case same, noise }

        public let guideArch: Section
        public let guideCheckpoint: String?
        public let guideSeed: UInt64?
        public let alpha: Double
        public let alphaSchedule: AlphaSchedule
        public let reduction: Reduction
        public let preset: Preset?
        private let tapsTarget, tapsGuide: [String]?
        private let form: Form?
        public let pairCollisions: Collisions
        public let ckaBatch: Int
        public let scope: Scope
        public let guideBn: Statistics
        public let guideView: View
        public let guideInput: Input
        public let stopStep: Int?

        /// Names of taps, and of tap presets that stand for several.
        public var targetTaps: [String] { tapsTarget ?? preset?.taps.target ?? [] }
        public var guideTaps: [String] { tapsGuide ?? preset?.taps.guide ?? [] }
        public var comparison: Form { form ?? preset?.form ?? .flatten }

        public static let defaults = [
            "alpha_schedule": "constant", "pair_collisions": "last", "cka_batch": "256", "scope": "group",
            "guide_bn": "eval", "guide_view": "masked", "guide_input": "same",
        ]
        public static let meanings = [
            "guide_arch": "The guide, a model section of its own.",
            "guide_checkpoint": "Its weights: a run folder, a checkpoint or a safetensors file; this or guide_seed.",
            "guide_seed": "The seed of an untrained guide's weights; this or guide_checkpoint.",
            "alpha": "Factor on the distances.",
            "alpha_schedule": "constant, or cosine: falls to 0 at stop_step.",
            "reduction": "sum or mean over pairs.",
            "preset":
                "Sets taps_target, taps_guide and form: " + Preset.allCases.map(\.rawValue).joined(separator: ", ")
                + ".",
            "taps_target":
                "Names of taps of the network that learns, or reference (linear maps and convolutions), blocks, "
                + "stages. Two lists of one length are paired in order, others spread evenly; a name may come twice.",
            "taps_guide": "The same for the guide.",
            "form": "Rows that are compared: flatten: images with all their features; samples: positions of images; "
                + "pooled: images with the mean over positions; tokenwise: each position for itself, distances added.",
            "pair_collisions":
                "Several taps of the guide fall on one of the target: the last one counts, or their sum.",
            "cka_batch": "Samples that are compared with each other, over ranks.",
            "scope":
                "group: cka_batch samples, over ranks; local: those of a rank, which depends on the number of ranks.",
            "guide_bn": "Batch norms of the guide: eval takes their running statistics, batch those of the batch.",
            "guide_view": "masked: the guide sees what the target sees; full: the whole image.",
            "guide_input": "same images for both, or noise for the guide.",
            "stop_step": "Updates with a guide; afterwards it is released. Absent: all.",
        ]

        public func check(_ here: Here) {
            here.requireOne(of: ("guide_seed", guideSeed), or: ("guide_checkpoint", guideCheckpoint))
            here.require(preset: preset, or: ["taps_target": tapsTarget, "taps_guide": tapsGuide, "form": form])
            for (key, list) in [("taps_target", tapsTarget), ("taps_guide", tapsGuide)] {
                if let list { here.require(!list.isEmpty, at: key, "at least one name expected") }
            }
            here.require(alpha > 0, at: "alpha", "more than 0 expected, found \(alpha); leave the section out")
            here.require(ckaBatch >= 2, at: "cka_batch", "at least 2 expected, found \(ckaBatch)")
            here.requirePositive(["stop_step": stopStep])
            here.require(
                alphaSchedule == .constant || stopStep != nil, at: "alpha_schedule", reading: ["stop_step"],
                "cosine falls to 0 at stop_step, which is missing")
            here.require(
                guideView == .masked || guideCheckpoint != nil, at: "guide_view", reading: ["guide_checkpoint"],
                "only a trained guide has more to say of the whole image; give guide_checkpoint")
            here.require(
                guideView == .masked || comparison == .pooled, at: "guide_view", reading: ["form", "preset"],
                "positions that only the guide sees are compared with none; form pooled expected")
            here.require(
                guideInput == .same || guideView == .masked, at: "guide_input", reading: ["guide_view"],
                "noise is no image to be seen in full")
        }

        /// Rules with the rest of the recipe.
        func check(_ recipe: Recipe, _ here: Here) {
            here.require(
                guideInput == .same || recipe.tokens == nil, at: "guidance.guide_input", reading: ["tokens"],
                "noise is made of pixels, and this recipe reads tokens")
            let micro = recipe.batch.global / recipe.batch.gradAccumSteps
            let group = "guidance.cka_batch"
            here.require(
                scope == .local || ckaBatch >= micro && recipe.batch.gradAccumSteps == 1
                    || micro % ckaBatch == 0,
                at: group, reading: ["batch", "guidance.scope"],
                recipe.batch.gradAccumSteps == 1
                    ? "\(ckaBatch) does not divide the batch of \(recipe.batch.global)"
                    : "\(ckaBatch) does not divide the \(micro) samples of a micro-batch; groups lie inside one")
        }
    }
}

extension Guidance.Settings.Preset {
    var taps: (target: [String], guide: [String]) {
        switch self {
        case .cratemaeViT, .seitViT: (["blocks"], ["blocks"])
        case .sparkPlain: (["stages"], ["stages"])
        case .simmimSwin: (["blocks"], ["stages"])
        case .fcnResNet: (["reference"], ["reference"])
        }
    }

    var form: Guidance.Settings.Form {
        switch self {
        case .cratemaeViT, .sparkPlain, .seitViT: .samples
        case .simmimSwin: .pooled
        case .fcnResNet: .flatten
        }
    }
}
