public import Autodiff
public import Batches
import Messages
public import Models
public import Optimizers
public import Recipes

/// Every method, model, data set, update rule and schedule that a recipe can name, and every section that hooks into the
/// steps of any method: one entry each.
public struct Catalog: Sendable {
    public var objectives: [any Objective.Type]
    public var models: [any EncoderSettings.Type]
    public var sources: [any DataSource.Type]
    /// In the order in which they run.
    public var augmentations: [any ImageAugmentation.Type]
    public var optimizers: [any UpdateRule.Type]
    public var schedules: [any ScheduleKind.Type]
    /// In the order in which a step calls them; what watches the method's loss being recorded comes first.
    public var hooks: [any HookPart.Type]

    /// What this program brings along.
    public static var own: Catalog {
        Catalog(
            objectives: [
                SimMIM.self, CRATEMAE.self, SparK.self, MaskedTokens.self, TokenAdaptation.self, Classification.self,
                VQTokenizer.self,
            ],
            models: [
                VisionTransformer.Settings.self, SwinTransformer.Settings.self, CRATE.Settings.self,
                MaskedCRATE.Settings.self, ResNet.Settings.self, CIFARResNet.Settings.self, ConvNeXt.Settings.self,
                Convnet.Settings.self, PlainCNN.Settings.self, FullyConnected.Settings.self,
                TokenizerEncoder.Settings.self, TokenTransformer.Settings.self,
            ],
            sources: [
                Procedural.self, IDX.self, CIFAR10.self, CIFAR100.self, Digits.self, ImageFolder.self, TokenSet.self,
            ],
            augmentations: [
                RandomResizedCrop.self, RandomCrop.self, HorizontalFlip.self, Policy.self, ColorJitter.self,
                RandomErasing.self, Mixing.self,
            ],
            optimizers: [AdamW.self, Adam.self, SGD.self, LAMB.self, Lion.self, LARS.self],
            schedules: [Constant.self, Cosine.self, Linear.self, MultiStep.self, Step.self, WarmRestarts.self],
            hooks: [GuidedRecording.self, OnlineProbe.self, EMA.self])
    }

    /// The augmentations of tokens, whose order is that of `TokenFeed`.
    private static let tokenParts: [any RecipePart.Type] = [
        TokenEdit.self, TokenCrop.self, TokenColor.self, TokenMixing.self, TokenGeometry.self,
    ]

    public static var kinds: Catalogue { own.kinds }

    public static func objective(_ recipe: Recipe, _ scope: Scope, _ input: InputSpec) throws -> any Objective {
        try own.objective(recipe, scope, input)
    }

    public static func method(of recipe: Recipe) -> any Objective.Type { own.method(of: recipe) }

    public static func encoder(of recipe: Recipe) throws -> any EncoderSettings { try own.encoder(recipe.model) }

    /// What `recipe check` needs to know of each kind.
    public var kinds: Catalogue {
        var catalogue = Catalogue()
        catalogue.kinds["objective"] = Dictionary(uniqueKeysWithValues: objectives.map { ($0.kind, entry($0)) })
        let models = Dictionary(uniqueKeysWithValues: models.map { ($0.kind, entry($0)) })
        for path in ["model", "guidance.guide_arch"] { catalogue.kinds[path] = models }
        let sources = Dictionary(uniqueKeysWithValues: sources.map { ($0.kind, entry($0)) })
        for path in ["data.train", "data.evaluation"] { catalogue.kinds[path] = sources }
        catalogue.kinds["optimizer"] = Dictionary(uniqueKeysWithValues: optimizers.map { ($0.kind, $0.entry) })
        catalogue.kinds["schedule"] = Dictionary(uniqueKeysWithValues: schedules.map { ($0.kind, $0.entry) })
        catalogue.kinds[Policy.key] = Policy.kinds
        for augmentation in augmentations { catalogue.add(augmentation) }
        for part in Self.tokenParts { catalogue.add(part) }
        catalogue.add(EvaluationCrop.self)
        catalogue.add(Clip.self)
        catalogue.add(NoiseStage.self)
        for hook in hooks { add(hook, to: &catalogue) }
        catalogue.rules += [checkGuidance, checkRecompute]
        return catalogue
    }

    /// The method of a checked recipe with its model, declared in `scope`.
    public func objective(_ recipe: Recipe, _ scope: Scope, _ input: InputSpec) throws -> any Objective {
        try make(method(of: recipe), recipe, encoder(recipe.model), scope, input)
    }

    public func objective(_ recipe: Recipe, _ scope: Scope, classes: Int) throws -> any Objective {
        try objective(recipe, scope, InputSpec(recipe, classes: classes))
    }

    /// The method that a checked recipe names.
    public func method(of recipe: Recipe) -> any Objective.Type {
        let kind = recipe.objective.kind
        guard let method = objectives.first(where: { $0.kind == kind }) else {
            preconditionFailure("a checked recipe names no method '\(kind)'")
        }
        return method
    }

    /// The shape of the encoder in a model section of a checked recipe.
    public func encoder(_ section: Section) throws -> any EncoderSettings {
        guard let model = models.first(where: { $0.kind == section.kind }) else {
            preconditionFailure("a checked recipe names no model '\(section.kind)'")
        }
        return try section.decode(model)
    }

    /// The kind of set that a data section of a checked recipe names.
    public func dataSource(_ section: Section) -> any DataSource.Type {
        guard let source = sources.first(where: { $0.kind == section.kind }) else {
            preconditionFailure("a checked recipe names no data set '\(section.kind)'")
        }
        return source
    }

    /// What the network of a checked recipe is guided by, if it is.
    public func guidance(_ recipe: Recipe, _ objective: any Objective) throws -> Guidance? {
        try recipe.guidance.map {
            try Guidance(
                $0, objective, target: encoder(recipe.model), guide: encoder($0.guideArch),
                image: InputSpec(recipe, classes: 0).image)
        }
    }

    private func make<Method: Objective>(
        _ method: Method.Type, _ recipe: Recipe, _ model: any EncoderSettings, _ scope: Scope, _ input: InputSpec
    ) throws -> any Objective {
        try Method(recipe.objective.decode(Method.Settings.self), model, scope, input)
    }

    private func entry<Method: Objective>(_ method: Method.Type) -> Catalogue.Kind {
        .init(Method.Settings.self) { settings, recipe, here in
            here.recipe.require(
                recipe.kind == Method.phase, at: "objective.kind", reading: ["kind"],
                "'\(Method.kind)' belongs to recipes of kind '\(Method.phase.rawValue)'")
            Method.check(settings, recipe, here)
        }
    }

    private func entry<Source: DataSource>(_ source: Source.Type) -> Catalogue.Kind {
        let known = sources.filter { $0.similarClasses != nil }.map { $0.kind }
        return .init(Source.Settings.self) { _, recipe, here in
            guard recipe.data.train.kind == Source.kind else { return }
            recipe.data.labelNoise?.check(similar: Source.similarClasses, known: known, here.recipe)
        }
    }

    private func add<Part: HookPart>(_ part: Part.Type, to catalogue: inout Catalogue) { catalogue.add(part) }

    private func entry<Model: EncoderSettings>(_ model: Model.Type) -> Catalogue.Kind {
        .init(Model.self) { $0.check($1, $2) }
    }

    /// Names of taps and the shapes behind them.
    @Sendable private func checkGuidance(_ recipe: Recipe, _ here: Here) {
        guard recipe.guidance != nil else { return }
        do {
            // Ten classes stand in for those of the data.
            _ = try guidance(recipe, objective(recipe, Graph().scope, InputSpec(recipe, classes: 10)))
        } catch let error as ModelError {
            let place = error.place.hasPrefix("guidance.") ? error.place : "guidance.guide_arch"
            here.require(false, at: place, "\(error.expected) expected, found \(error.found); \(error.hint)")
        } catch { here.require(false, at: "guidance", "\(error)") }
    }

    /// Only some networks have blocks that may run twice; what else is wrong with a recipe is said elsewhere.
    @Sendable private func checkRecompute(_ recipe: Recipe, _ here: Here) {
        let graph = Graph()
        guard recipe.recompute == true,
            let objective = try? objective(recipe, graph.scope, InputSpec(recipe, classes: 10))
        else { return }
        _ = objective.loss(objective.inputs(graph, batch: 2))
        here.require(
            graph.hasBlocks, at: "recompute", reading: ["model.kind"],
            "'\(recipe.model.kind)' has no blocks that can be computed twice; transformers and CRATE have")
    }
}

extension Recipe {
    /// Opens a data section of a checked recipe.
    /// - Parameter tolerance: the bad files of a folder beyond which it is refused.
    public func source(
        _ section: Section, tolerance: Tolerance = Tolerance(), from catalog: Catalog = .own
    ) throws -> any SampleSource {
        func open<Source: DataSource>(_ source: Source.Type) throws -> any SampleSource {
            try Source.open(
                section.decode(Source.Settings.self), SourceContext(self, tolerance: tolerance))
        }
        return try open(catalog.dataSource(section))
    }

    /// Everything that training does to an image.
    public var trainingTransform: ImageTransform { trainingTransform(Catalog.own.augmentations) }

    /// Nothing drawn: the image that evaluations see.
    public var evaluationTransform: ImageTransform { evaluationTransform(Catalog.own.augmentations) }

    /// The cut of an image for evaluations.
    public var evaluationCrop: EvaluationCrop { EvaluationCrop(self, Catalog.own.augmentations) }

    /// All that `evaluationTransform` depends on, as text: part of the key of what is computed from such images and kept.
    public var evaluationCut: String { evaluationCut(Catalog.own.augmentations) }
}
