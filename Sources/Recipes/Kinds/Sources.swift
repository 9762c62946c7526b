extension Catalogue {
    /// The data sets; methods and models add theirs.
    public static let sources = Catalogue(
        objectives: [:], models: [:],
        sources: [
            "procedural": Kind(ProceduralSettings.self),
            "idx": Kind(PartedSettings.self),
            "cifar10": Kind(PartedSettings.self),
            "cifar100": Kind(PartedSettings.self),
            "digits": Kind(PartedSettings.self),
            "folder": Kind(FolderSettings.self),
            "tokens": Kind(TokenSettings.self),
        ])
}
