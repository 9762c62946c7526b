/// Which parameters have weight decay: a pure function of name and rank. Sources: the recipes named at each case.
public struct DecayRule: Sendable, Equatable {
    /// Vectors (biases, norms, LayerScale) keep their size.
    public let excludesVectors: Bool
    /// Names that end in `.bias` have no weight decay, whatever their rank.
    public let excludesBiases: Bool
    /// Whole names without weight decay.
    public let names: [String]
    /// Parts of names without weight decay.
    public let keywords: [String]

    public init(excludesVectors: Bool, excludesBiases: Bool, names: [String] = [], keywords: [String] = []) {
        self.excludesVectors = excludesVectors
        self.excludesBiases = excludesBiases
        self.names = names
        self.keywords = keywords
    }

    public func decays(_ name: String, rank: Int) -> Bool {
        if excludesVectors && rank <= 1 { return false }
        if excludesBiases && name.hasSuffix(".bias") { return false }
        return !names.contains(name) && !keywords.contains { occurs($0, in: name) }
    }

    /// CRATE supervised, ELR: norms and biases too.
    public static let everything = DecayRule(excludesVectors: false, excludesBiases: false)
    /// SeiT++ pretraining (timm with an empty list): tokens and position tables too.
    public static let matrices = DecayRule(excludesVectors: true, excludesBiases: true)
    /// SparK, both phases.
    public static let sparK = DecayRule(
        excludesVectors: true, excludesBiases: true, keywords: ["cls_token", "pos_embed", "mask_token", "gamma"])
    /// MAE and SeiT++ finetuning: a matrix named `.bias` would have weight decay.
    public static let mae = DecayRule(excludesVectors: true, excludesBiases: false, names: ["pos_embed", "cls_token"])
    /// SeiT supervised: DeiT's list.
    public static let seiT = DecayRule(excludesVectors: true, excludesBiases: true, names: ["pos_embed", "cls_token"])
    /// SimMIM with a ViT; its class declares no keywords, so position bias tables have weight decay.
    public static let simMIMViT = DecayRule(
        excludesVectors: true, excludesBiases: true, names: ["pos_embed", "cls_token"])
    /// SimMIM with a Swin; only pretraining has the mask token.
    public static let simMIMSwin = DecayRule(
        excludesVectors: true, excludesBiases: true, names: ["absolute_pos_embed", "mask_token"],
        keywords: ["relative_position_bias_table"])

    /// The rule of a model that holds this rule's model under `prefix`. SimMIM's code puts the prefix before keywords
    /// too, where it matches no real name: position bias tables have weight decay in pretraining.
    public func inside(_ prefix: String) -> DecayRule {
        DecayRule(
            excludesVectors: excludesVectors, excludesBiases: excludesBiases, names: names.map { prefix + $0 },
            keywords: keywords.map { prefix + $0 })
    }

    private func occurs(_ part: String, in name: String) -> Bool {
        let part = Array(part.utf8), name = Array(name.utf8)
        guard part.count <= name.count else { return false }
        return (0...name.count - part.count).contains { name[$0..<$0 + part.count].elementsEqual(part) }
    }
}
