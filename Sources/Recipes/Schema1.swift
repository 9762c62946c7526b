/// The key names of schema 1 and what became of them. One table serves `lacuna recipe upgrade`, the errors about old keys,
/// and the reading of runs that were written under the old names.
package enum Schema1 {
    /// What became of a key.
    package enum Change: Sendable {
        case name
        /// Another name, or the same, and other values.
        case values([String: String])
        /// It is one of the two numbers of a list now. `standards` stand in for one that neither the file nor its
        /// parent has; nil: there is no default.
        case bound(Int, standards: [String?])
    }

    package struct Rule: Sendable {
        /// Paths of the sections that have the key, under the old name of a section and under the new one.
        package let sections: [String]
        package let old: String
        package let new: String
        let change: Change
        /// The rule holds for this kind of section alone; nil: for all.
        var kind: String?

        /// What an error about the old key says.
        package var text: String {
            let text = "`\(old)` is called `\(new)` since schema 2"
            return switch change {
            case .name: text
            case .values(let values): "\(text), with the values \(Set(values.values).sorted().joined(separator: ", "))"
            case .bound: "\(text), a list of the smallest and the largest"
            }
        }
    }

    /// These kinds of schedules stepped one update late; today only those with this form do.
    static let late = (kinds: ["multistep", "step"], form: "simmim", objective: "simmim")

    private static let models = ["model", "guidance.guide_arch"]
    private static let layers = models.flatMap { ["\($0).stem[]", "\($0).stages[][]"] }

    /// In the order of the recipe's sections.
    package static let rules: [Rule] =
        values(in: [""], "schema", "schema", ["1": "2"])
        + names(in: [""], ["average": "ema"])
        + names(in: ["data.train", "data.evaluation"], ["part": "split"])
        + names(in: ["data.subset"], ["per_class": "shots", "share": "label_fraction"])
        + names(in: ["data.label_noise"], ["rate": "noise_rate"])
        + names(in: ["images"], ["crop": "random_resized_crop", "flip": "hflip", "erase": "random_erasing"])
        + bounds(in: ["images.crop", "images.random_resized_crop"], "minimum_area", "maximum_area", "scale")
        + bounds(in: ["images.crop", "images.random_resized_crop"], "minimum_ratio", "maximum_ratio", "ratio")
        + bounds(
            in: ["images.erase", "images.random_erasing"], "minimum_area", "maximum_area", "scale",
            standards: ["0.02", "0.3333333333333333"])
        + bounds(
            in: ["images.erase", "images.random_erasing"], "minimum_ratio", "maximum_ratio", "ratio",
            standards: ["0.3", "3.3333333333333335"])
        + names(in: ["images.erase", "images.random_erasing"], ["maximum_count": "max_count"])
        + names(in: ["images.policy"], ["operations": "num_ops", "bin": "magnitude"])
        + names(
            in: ["images.mix", "tokens.mix", "tokens.adapt.mix"],
            ["mixup": "mixup_alpha", "cutmix": "cutmix_alpha", "probability": "prob", "switch": "switch_prob"])
        + names(in: ["images.evaluation"], ["crop_ratio": "crop_pct"])
        + names(in: ["tokens"], ["codes": "codebook_size", "width": "code_dim"])
        + bounds(
            in: ["tokens.crop", "tokens.adapt", "objective"], "minimum_area", nil, "scale", standards: [nil, "1"])
        + names(in: ["tokens.adapt"], ["head_width": "head_dim"])
        + objective + model
        + names(in: ["batch"], ["accumulation": "grad_accum_steps", "repeats": "aug_repeats"])
        + names(in: ["optimizer"], ["epsilon": "eps", "trust": "trust_coeff"])
        + names(
            in: ["schedule"],
            [
                "base_rate": "base_lr", "minimum_rate": "min_lr", "warmup_rate": "warmup_lr",
                "reference_batch": "lr_base_size", "every_epochs": "step_epochs", "period_epochs": "cycle_epochs",
            ])
        + names(in: ["clip"], ["norm": "max_norm"])
        + names(in: ["online_probe"], ["rate": "lr"])
        + names(in: ["loader"], ["slots": "prefetch_batches"])

    private static let objective: [Rule] =
        names(
            in: ["objective"],
            [
                "normalized_pixels": "norm_pix_loss", "mask_patch": "mask_patch_size", "patch": "patch_size",
                "minimum_ratio": "mask_ratio_min", "maximum_ratio": "mask_ratio_max", "centre_ratio": "mask_ratio_mu",
                "ratio_deviation": "mask_ratio_std", "decoder_heads": "decoder_num_heads", "codes": "codebook_size",
                "width": "code_dim", "code_width": "code_dim", "commitment": "commitment_weight",
            ])
        // SparK's decoder is a convnet: its decoder_width stays.
        + [Rule(sections: ["objective"], old: "decoder_width", new: "decoder_embed_dim", change: .name, kind: "mtm")]

    private static let model: [Rule] =
        names(
            in: models,
            [
                "width": "embed_dim", "heads": "num_heads", "head_width": "head_dim", "patch": "patch_size",
                "window": "window_size", "drop_path": "drop_path_rate", "absolute_positions": "use_abs_pos_emb",
                "relative_positions": "use_rel_pos_bias", "shared_relative_positions": "use_shared_rel_pos_bias",
                "start": "init", "deviation": "init_std",
            ])
        + values(in: models, "mean_pooling", "global_pool", ["true": "avg", "false": "token"])
        + values(in: models, "pooling", "global_pool", ["mean": "avg", "class_token": "token"])
        + values(in: models, "grey", "channels", ["true": "1", "false": "3"])
        + values(in: layers, "kind", "kind", ["average_pool": "avg_pool"])
        + names(in: layers, ["kernel": "kernel_size", "counts_padding": "count_include_pad"])

    private static func names(in sections: [String], _ names: KeyValuePairs<String, String>) -> [Rule] {
        names.map { Rule(sections: sections, old: $0.key, new: $0.value, change: .name) }
    }

    private static func values(in sections: [String], _ old: String, _ new: String, _ values: [String: String])
        -> [Rule]
    { [Rule(sections: sections, old: old, new: new, change: .values(values))] }

    /// - Parameter largest: nil where only the smallest had a key.
    private static func bounds(
        in sections: [String], _ smallest: String, _ largest: String?, _ new: String, standards: [String?] = [nil, nil]
    ) -> [Rule] {
        [smallest, largest].enumerated().compactMap { index, old in
            old.map { Rule(sections: sections, old: $0, new: new, change: .bound(index, standards: standards)) }
        }
    }

    /// The rule for a key of a section.
    static func rule(for key: String, in path: String, where fits: (Rule) -> Bool = { _ in true }) -> Rule? {
        let section = path.replacing(/\[[0-9]*\]/, with: "[]")
        return rules.first { $0.old == key && $0.sections.contains(section) && fits($0) }
    }
}
