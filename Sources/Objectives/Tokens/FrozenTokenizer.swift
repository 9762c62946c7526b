import Autodiff
import Batches
import Checkpoints
import Kernels
import Models
import Recipes

/// A trained tokenizer at work in the training of another network: the ids of images of several sides, in the numbers of a
/// token set that it has written. Its weights stand still; positions are those of each side.
final class FrozenTokenizer {
    private struct Size {
        let images, ids: Tensor
        let plan: Plan
    }

    /// The set's number of each of the quantiser's codes.
    private let numbers: [Float]
    private let sizes: [Int: Size]

    /// - Parameters:
    ///   - recipe: of the network that is trained: its images are to be those of the tokenizer.
    ///   - sides: of the images, in pixels.
    ///   - samples: of a batch.
    init(
        _ path: String, _ set: TokenSet, for recipe: Recipe, sides: Set<Int>, samples: Int, pool: WorkerPool
    ) throws {
        let checkpoint = try CheckpointPlace(path).newestValid()
        let own = try Recipe.load(from: checkpoint)
        guard own.objective.kind == VQTokenizer.kind else {
            throw CheckpointError(
                .mismatched, at: path, found: "a network of '\(own.objective.kind)'", expected: "a tokenizer",
                hint: "objective.tokenizer names a run of 'lacuna tokenizer'")
        }
        let differences = recipe.changes(from: own).filter {
            $0.path.hasPrefix("images.normalize") || $0.path == "images.size"
        }
        guard differences.isEmpty else {
            throw CheckpointError(
                .mismatched, at: path,
                found: differences.map { "\($0.path) \($0.before ?? "absent")" }.joined(separator: ", "),
                expected: differences.map { $0.after ?? "absent" }.joined(separator: ", "),
                hint: "give both recipes the same images")
        }
        let file = try checkpoint.open(.model)
        var (sizes, numbers): ([Int: Size], [Float]) = ([:], [])
        for side in sides.union([own.images.size]).sorted() {
            let graph = Graph()
            let objective = try Catalog.objective(own, graph.scope, InputSpec(image: ImageSpec(side: side)))
            guard let tokenizer = objective as? VQTokenizer else { preconditionFailure("a tokenizer") }
            let images = tokenizer.inputs(graph, batch: samples).images
            let output = tokenizer.tokens(images).output
            let store = ParameterStore(graph, minimising: nil, seed: 0, pool: pool)
            let isOwn = side == own.images.size
            try Self.load(file, into: store, withPositions: isOwn)
            let plan = try Plan(graph, minimising: nil, keeping: [output.ids], store: store, pool: pool)
            sizes[side] = Size(images: images, ids: output.ids, plan: plan)
            if isOwn { numbers = try Self.numbers(tokenizer.quantizer, store, at: checkpoint.path, set) }
        }
        (self.sizes, self.numbers) = (sizes, numbers)
    }

    /// One id for each token, row by row.
    /// - Parameter images: (B, side, side, 3), normalised.
    func ids(of images: Floats, side: Int, into ids: Floats) {
        guard let size = sizes[side] else { preconditionFailure("a side that was not asked for") }
        size.plan.set(size.images, images)
        size.plan.forward()
        let found = size.plan.value(of: size.ids)
        for place in 0..<ids.count { ids[place] = numbers[Int(found[place])] }
    }

    /// - Parameter withPositions: their tables too, which are those of the side that the tokenizer was trained on.
    private static func load(_ file: Safetensors, into store: ParameterStore, withPositions: Bool) throws {
        for slot in store.slots where withPositions || !slot.parameter.isFixed {
            try file.tensor(slot.parameter.name).copy(into: store.values[slot.range])
        }
        for buffer in store.buffers {
            if let floats = store.buffer(buffer.name) { try file.tensor(buffer.name).copy(into: floats) }
        }
    }

    /// - Parameters:
    ///   - store: with all that `tokenize` had of the tokenizer.
    ///   - place: of the weights.
    private static func numbers(
        _ quantizer: VectorQuantizer, _ store: ParameterStore, at place: String, _ set: TokenSet
    ) throws -> [Float] {
        let codes =
            quantizer.fixedCodes.map { Floats($0) } ?? store.buffer("quantizer." + VectorQuantizer.codebookName)
            ?? store.value("quantizer.embedding.weight") ?? Floats(zeros: 0)
        let (codebook, scale) = (set.grid.codebook, set.notes["scale"].flatMap(Double.init) ?? 1)
        // Of all weights, as the set remembers it: an encoder that went on learning gives other ids for the same codes.
        let (own, writer) = (String(store.hash, radix: 16), set.notes["tokenizer"] ?? "unknown")
        guard writer == own, codes.count > 0, quantizer.settings.width == codebook.width else {
            throw DataError(
                set.path, found: "ids of the tokenizer \(writer)", expected: "those of \(own), \(place)",
                hint: "take a set that these weights wrote; 'lacuna tokenize' without --ema writes one")
        }
        let width = codebook.width
        return (0..<codes.count / width).map { code in
            let row = codes[code * width..<(code + 1) * width].array.map { Float(Double($0) * scale) }
            return Float(codebook.nearest(to: Floats(row)))
        }
    }
}
