extension Catalogue {
    /// The kinds whose settings this module knows.
    public static let builtIn = Catalogue(
        objectives: ["simmim": Kind(SimMIMSettings.self, rules: SimMIMSettings.check)],
        models: ["vit": Kind(VisionTransformerSettings.self, rules: VisionTransformerSettings.check)],
        sources: [
            "procedural": Kind(ProceduralSettings.self),
            "idx": Kind(PartedSettings.self),
            "cifar10": Kind(PartedSettings.self),
            "cifar100": Kind(PartedSettings.self),
            "digits": Kind(PartedSettings.self),
            "folder": Kind(FolderSettings.self),
        ])
}
