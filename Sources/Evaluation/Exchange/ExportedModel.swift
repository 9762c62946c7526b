import Autodiff
import Batches
public import Checkpoints
public import Kernels
public import Messages
import Models
import Objectives
import Platform
public import Recipes
import Training

/// A checkpoint's model under the names of another library, with what another program needs to use it.
public struct ExportedModel {
    public let counterpart: ThirdPartyModel
    public let tensors: [StoredTensor]
    public let parity: ParityVector
    /// The layout of timm's `config.json`.
    public let config: JSON
    /// The header's map: `config` again, and single facts under their own keys.
    public let metadata: [String: String]

    /// - Parameters:
    ///   - ema: the EMA weights instead of the last ones.
    ///   - program: what writes the file, with its version.
    public init(
        _ checkpoint: Checkpoint, _ recipe: Recipe, for library: ThirdPartyLibrary, ema: Bool, program: String,
        pool: WorkerPool
    ) throws {
        let stored = try checkpoint.open(.model)
        let classes =
            recipe.kind == .finetune ? try stored.tensor(Self.head(of: recipe) + ".weight").shape.first ?? 0 : 0
        let model = try LoadedModel(
            recipe, samples: 1, classes: classes, weights: .saved(checkpoint, ema: ema), pool: pool)
        counterpart = try ThirdPartyModel(
            of: model.objective.encoder, image: ImageSpec(side: model.images.shape[1], channels: model.images.shape[3]),
            classes: classes, prefix: model.encoderPrefix,
            in: library)
        tensors = try counterpart.tensors(of: model.store.tensors)
        parity = try model.parity()
        // Names of classes are a comfort: without the data there are only numbers.
        let names = classes > 0 ? (try? recipe.source(recipe.data.train))?.classes : nil
        config = Self.config(
            counterpart, recipe, classes: classes, grid: model.objective.encoder.grid,
            names: names?.count == classes ? names : nil)
        metadata = try [
            "format": "pt",  // what readers of the PyTorch world ask for
            "library": library.rawValue, "architecture": counterpart.architecture, "config": Self.text(config),
            "image_size": "\(recipe.images.size)", "mean": Self.text(recipe.images.normalize.mean),
            "std": Self.text(recipe.images.normalize.std), "step": "\(checkpoint.step)",
            "weights": ema ? "average" : "last", "program": program, "parity": Self.text(parity),
        ]
    }

    /// Writes the file and `config.json` beside it, each whole or not at all.
    /// - Returns: the path of the second one.
    public func write(to path: String) throws -> String {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let configPath = folder + "/config.json"
        if FileStatus(path) == nil, FileStatus(configPath) != nil {
            throw CheckpointError(
                .mismatched, at: configPath, found: "a config.json of something else", expected: "none",
                hint: "a folder holds one exported model")
        }
        try Folder(folder).create()
        try Safetensors.write(tensors, metadata: metadata, to: path)
        let file = try OutputFile(replacing: configPath)
        try file.write(Array(Self.text(config, pretty: true).utf8) + [0x0A])
        try file.commit()
        return configPath
    }

    private static func head(of recipe: Recipe) throws -> String {
        let image = ImageSpec(side: recipe.images.size)
        return try Catalog.encoder(of: recipe).encoder(Graph().scope, image: image, for: .classification).headName
    }

    private static func config(
        _ counterpart: ThirdPartyModel, _ recipe: Recipe, classes: Int, grid: FeatureGrid, names: [String]?
    ) -> JSON {
        let size = recipe.images.size
        let view = recipe.evaluationCrop
        let normalisation = recipe.images.normalize
        var config: JSON.Members = [
            "architecture": .string(counterpart.architecture), "num_classes": .integer(classes),
            "num_features": .integer(grid.width), "encoder_stride": .integer(grid.stride),
            "global_pool": .string(counterpart.pooling),
            "model_args": .object(.init(counterpart.arguments)),
            "pretrained_cfg": .object([
                "num_classes": .integer(classes),
                "input_size": .array([.integer(3), .integer(size), .integer(size)]), "fixed_input_size": .bool(true),
                "mean": .array(normalisation.mean.map(JSON.number)), "std": .array(normalisation.std.map(JSON.number)),
                "interpolation": .string(view.interpolation.rawValue), "crop_pct": .number(view.cropPct ?? 1),
                "crop_mode": .string(view.cropPct == nil ? "squash" : "center"),
                "first_conv": .string(counterpart.firstConvolution), "classifier": .string(counterpart.head),
            ]),
        ]
        if let names { config["label_names"] = .array(names.map(JSON.string)) }
        return .object(config)
    }

    private static func text(_ value: some Encodable, pretty: Bool = false) throws -> String {
        String(decoding: try JSON.encoded(value, indented: pretty), as: UTF8.self)
    }
}
