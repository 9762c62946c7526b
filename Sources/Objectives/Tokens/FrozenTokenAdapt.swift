import Autodiff
import Batches
import Checkpoints
import Kernels
import Layers
import Models
import Recipes

/// TokenAdapt at work in the training of another network: its weights stand still and no gradient is computed.
final class FrozenTokenAdapt {
    let geometry: TokenGeometry
    /// Side of the feature maps that are mixed.
    let featureSide: Int
    private let settings: TokenAdapt.Settings
    /// Codes of the token set: g may know more.
    private let codes: Int
    private let maps, movements, moved: Tensor
    private let features, scores: Tensor
    private let forth, back: Plan
    private let vectors, places: Floats
    private let found: Floats
    private let pool: WorkerPool

    /// - Parameters:
    ///   - samples: that go through it in each micro-batch.
    ///   - size: m, the side of the model's grid.
    init(_ adapt: TokenGeometry.Settings, _ grid: TokenGrid, size: Int, samples: Int, pool: WorkerPool) throws {
        let weights = try AdaptWeights(adapt.path)
        settings = try weights.settings(grid, size: size, headWidth: adapt.headDim)
        codes = grid.codebook.count
        let (patch, stored) = (TokenAdapt.patch, settings.stored)
        geometry = TokenGeometry(side: patch * stored, area: adapt.scale[0]...adapt.scale[1])
        featureSide = patch * size
        let (first, second) = (Graph(), Graph())
        let network = try TokenAdapt(first.scope, settings)
        maps = first.input("maps", [samples, stored, stored, settings.width])
        movements = first.input("geometry", [samples, MapGeometry.floats])
        moved = AffineGridSample(side: featureSide)(network.features(maps), movements)
        features = second.input("features", moved.shape)
        scores = try TokenAdapt(second.scope, settings).scores(features)
        let store = ParameterStore(first, minimising: nil, seed: 0, pool: pool)
        try weights.load(into: store)
        forth = try Plan(first, minimising: nil, keeping: [moved], store: store, pool: pool)
        back = try Plan(second, minimising: nil, keeping: [scores], store: store, pool: pool)
        vectors = Floats(zeros: maps.shape.count)
        places = Floats(zeros: movements.shape.count)
        found = Floats(zeros: samples * size * size)
        self.pool = pool
    }

    /// Floats of one feature map after the movements.
    var featureCount: Int { moved.shape.count / moved.shape[0] }

    /// The code vectors of one sample and where its features go.
    func set(_ place: Int, map: Floats, _ geometry: MapGeometry) {
        vectors[place * map.count..<(place + 1) * map.count].copy(from: map)
        geometry.write(to: places[place * MapGeometry.floats..<(place + 1) * MapGeometry.floats])
    }

    /// f and the movements.
    func warp(into features: Floats) {
        forth.set(maps, vectors)
        forth.set(movements, places)
        forth.forward()
        features.copy(from: forth.value(of: moved))
    }

    /// g: the most likely id of every place, one float for each.
    func ids(of features: Floats) -> Floats {
        back.set(self.features, features)
        back.forward()
        pool.largestColumns(back.value(of: scores), into: found, columns: settings.codes, among: codes)
        return found
    }
}

/// The weights of TokenAdapt in a run, or in a file with the reference's names.
struct AdaptWeights {
    private let place: String
    private let tensors: [String: StoredTensor]

    init(_ path: String) throws {
        let file =
            try path.hasSuffix(".safetensors")
            ? Safetensors(path) : CheckpointPlace(path).newestValid().open(.model)
        place = file.path
        tensors = Dictionary(file.tensors.map { ($0.name, $0) }) { first, _ in first }
    }

    /// The shape of the network, which the weights tell except for the heads.
    func settings(_ grid: TokenGrid, size: Int, headWidth: Int) throws -> TokenAdapt.Settings {
        func shape(_ name: String, rank: Int) throws(CheckpointError) -> [Int] {
            guard let shape = tensors[name]?.shape, shape.count == rank else {
                throw CheckpointError(
                    .mismatched, at: place, found: tensors[name] == nil ? "no '\(name)'" : "'\(name)' of another rank",
                    expected: "the weights of TokenAdapt", hint: "train it with objective.kind 'token_adapt'")
            }
            return shape
        }
        let entry = try shape("conversion_function.0.weight", rank: 2)
        let layer = "conversion_function.1.transformer.layers."
        let inner = try shape(layer + "0.0.fn.to_qkv.weight", rank: 2)[0] / 3
        let hidden = try shape(layer + "0.1.fn.net.0.weight", rank: 2)[0]
        let codes = try shape("reverse_transform.1.weight", rank: 2)[0]
        let depth = (0...).prefix { tensors[layer + "\($0).0.fn.to_qkv.weight"] != nil }.count
        guard inner % headWidth == 0 else {
            throw CheckpointError(
                .mismatched, at: place, found: "attention of \(inner) channels",
                expected: "whole heads of tokens.adapt.head_dim \(headWidth)", hint: "set tokens.adapt.head_dim")
        }
        guard codes >= grid.codebook.count, entry[1] == grid.codebook.width, knows(grid.codebook) else {
            throw CheckpointError(
                .mismatched, at: place, found: "\(codes) codes of \(entry[1]) numbers of another codebook",
                expected: "the token set's \(grid.codebook.count) of \(grid.codebook.width)",
                hint: "TokenAdapt belongs to one codebook: train it with the tokenizer and the codebook of this set")
        }
        return TokenAdapt.Settings(
            .init(width: entry[0], depth: depth, heads: inner / headWidth, headWidth: headWidth, hidden: hidden),
            codes: codes, width: entry[1], stored: grid.side, size: size)
    }

    /// Whether it was trained for these codes; a file of the reference does not say.
    private func knows(_ codebook: Codebook) -> Bool {
        guard let own = tensors[TokenAdapt.codebookName]?.floats else { return true }
        return own.count >= codebook.rows.count && Array(own.prefix(codebook.rows.count)) == codebook.rows.array
    }

    /// Fills what is trained; tables of positions are those of the grid.
    func load(into store: ParameterStore) throws {
        for slot in store.slots where !slot.parameter.isFixed {
            guard let tensor = tensors[slot.parameter.name], tensor.shape == slot.parameter.shape.extents else {
                let found = tensors[slot.parameter.name]
                throw CheckpointError(
                    .mismatched, at: place,
                    found: found.map { "\(slot.parameter.name) \($0.shape)" } ?? "no \(slot.parameter.name)",
                    expected: "\(slot.parameter.shape)", hint: "the file holds another network")
            }
            try tensor.copy(into: store.values[slot.range])
        }
    }
}
