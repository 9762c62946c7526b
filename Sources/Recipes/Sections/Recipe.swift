/// A whole experiment. Every section is a type of its own; one that is absent switches off what it stands for.
public struct Recipe: RecipeSection {
    /// What `lacuna` does with it.
    public enum Kind: String, CaseIterable, Decodable, Sendable {
        case pretrain, finetune, tokenizer
    }

    public let schema: Int
    public let kind: Kind
    public let about: String
    public let reference: String
    public let seed: UInt64
    public let data: Data
    private let imagesGiven: Images?
    public let tokens: Tokens?
    /// What is learned, e.g. `simmim`; decoded by its owner.
    public let objective: Section
    /// What learns, e.g. `vit`; decoded by its owner.
    public let model: Section
    public let batch: Batch
    /// The update rule, e.g. `adamw`.
    public let optimizer: OpenSection<Optimizer>
    /// The curve of the learning rate, e.g. `cosine`.
    public let schedule: OpenSection<Schedule>
    public let evaluation: Evaluation?
    public let checkpoint: CheckpointSettings?
    public let log: Log
    public let threads: Int?
    public let recompute: Bool?
    public let loader: LoaderSettings
    public let limits: Limits?
    /// Settings of the parts that it has, by dotted path; each is asked for by its owner.
    var parts: [String: any Sendable] = [:]
    /// The recipe as it was read, with parents, overrides and defaults in place.
    public internal(set) var resolved = RecipeNode(content: .section([]), place: .standard)

    private enum CodingKeys: String, CodingKey {
        case schema, kind, about, reference, seed, data, tokens, objective, model, batch, optimizer, schedule
        case evaluation, checkpoint, log, threads, recompute, loader, limits
        case imagesGiven = "images"
    }

    /// What the model sees of an image; with tokens a grid of `tokens.size` as it is stored.
    public var images: Images { imagesGiven ?? Images(grid: tokens?.size ?? 1) }

    /// Version of the key names; files of another version are refused.
    public static let currentSchema = 2

    static let extendsMeaning =
        "The one recipe this one varies: sections merge, lists are replaced, null takes a key away."

    public static let meanings = [
        "schema": "Version of the key names: 2; `lacuna recipe upgrade` rewrites a file of version 1.",
        "kind": "pretrain; finetune for supervised training; tokenizer for learning to write images as ids.",
        "about": "What the experiment is, in a sentence.",
        "reference": "Published or measured results to expect.",
        "seed": "Every random draw is a function of this number.",
        "data": "Where the samples come from.",
        "images": "How an image becomes the model's input; this or tokens.",
        "tokens": "How a record of a token set becomes the model's input; this or images.",
        "objective": "What is learned.",
        "model": "What learns.",
        "batch": "Samples of an update.",
        "optimizer": "The update rule.",
        "schedule": "Length of the run and learning rate over it.",
        "evaluation": "Scores while a classifier learns; absent: only at its end.",
        "checkpoint": "When the state of the run is saved; absent: never.",
        "log": "When a line is written.",
        "threads": "Compute threads of a rank; absent: as many as the launcher left to it.",
        "recompute":
            "Whether backward computes the inner values of each transformer block again in place of keeping them: less memory, "
            + "more time, the same weights; absent: no.",
        "loader": "Reading and augmenting ahead of the step.",
        "limits": "Faults a run survives; absent: the first one ends it.",
    ]

    /// Rules over several sections, asked once the parts are known.
    func checkWhole(_ here: Here) {
        here.require(
            schema == Self.currentSchema, at: "schema", "schema \(Self.currentSchema) expected, found \(schema)")
        here.requirePositive(["threads": threads])
        here.requireOne(of: ("tokens", tokens), or: ("images", imagesGiven))
        for (key, isGiven) in [
            ("optimizer.layer_decay", optimizer.layerDecay != nil), ("evaluation", evaluation != nil),
        ] {
            here.require(
                !isGiven || kind == .finetune, at: key, reading: ["kind"], "only a recipe of kind 'finetune' has it")
        }
        here.require(
            data.labelNoise == nil || kind == .finetune, at: "data.label_noise", reading: ["kind"],
            "there are no labels to learn from; only a recipe of kind 'finetune' has it")
        here.require(
            evaluation == nil || data.evaluation != nil || data.validation != nil, at: "evaluation", reading: ["data"],
            "neither data.validation nor data.evaluation says on what")
    }
}
