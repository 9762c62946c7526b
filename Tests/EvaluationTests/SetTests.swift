import Batches
import Checkpoints
import Evaluation
import Foundation
import Kernels
import Objectives
import Recipes
import Testing
import Training

@Suite struct SetTests {
    /// Two classes of three grey images, 4 × 6, of values 0, 20, … 100.
    private func folder() throws -> Scratch {
        let folder = try Scratch()
        for number in 0..<6 {
            let bytes = Bytes([UInt8](repeating: UInt8(20 * number), count: 72))
            let name = "train/\(number < 3 ? "dark" : "light")/\(number).png"
            try folder.write(name, Image(height: 4, width: 6, bytes: bytes).png())
        }
        return folder
    }

    @Test func `verify names the damaged file, whatever the index says of others`() throws {
        let folder = try folder()
        let index = try Manifest.build(folder.path + "/train")
        var bytes = folder.bytes("train/light/4.png")
        bytes[bytes.count / 2] ^= 4
        try folder.write("train/light/4.png", bytes)
        try folder.write("train/dark/0.png", Array(folder.bytes("train/dark/0.png").dropLast(9)))
        let bad = try ImageFolder(folder.path + "/train", manifest: index).verify(threads: 3)
        #expect(bad.map(\.path) == ["dark/0.png", "light/4.png"].map { folder.path + "/train/" + $0 })
        #expect(bad[1].reason == "changed since the index was built (same size)")
    }

    @Test func `statistics are those of the pixels`() throws {
        let folder = try folder()
        let source = try ImageFolder(folder.path + "/train", manifest: Manifest.build(folder.path + "/train"))
        let result = source.statistics(of: Array(0..<6), threads: 2)
        #expect(source.classCounts == [3, 3] && result.images == 6 && result.bad.isEmpty && result.jpegs == 0)
        #expect(result.heights?.median == 4 && result.widths?.most == 6)
        for channel in 0..<3 {
            #expect(abs(result.mean[channel] - 50.0 / 255) < 1e-12)
            // The variance of 0, 20, … 100 is 400 · 35 / 12.
            #expect(abs(result.std[channel] - (400 * 35.0 / 12).squareRoot() / 255) < 1e-12)
        }
    }

    @Test func `a preview shows the first batch of the run`() throws {
        let recipe = try smallRecipe()
        let source = try recipe.source(recipe.data.train)
        let masking = try Experiment(recipe, samples: 1, classes: 10).objective.masking
        let loader = try Loader(
            source, Sampler(count: 40, globalBatch: 10, order: .shuffled(seed: recipe.seed)), BatchCut(),
            recipe.loaderSettings(recipe.trainingTransform, masking: masking), updates: 0..<1)
        let batch = try loader.next()
        let grid = try recipe.preview(of: source, count: 4)
        let again = try recipe.preview(of: source, count: 4)
        #expect(grid.sheet.bytes.array == again.sheet.bytes.array)
        let drawn = ImageGrid(samples: 4, titles: ["original", "augmented", "masked"], inputSide: 16)
        for slot in 0..<4 {
            var original = Image()
            var memory = ReadMemory()
            try source.read(Int(batch.samples[slot]), into: &original, using: &memory)
            drawn.draw(original, sample: slot, number: 0)
            let input = recipe.trainingTransform.normalisation.restore(batch.image(slot), height: 16, width: 16)
            drawn.draw(input, sample: slot, number: 1)
            drawn.draw(MaskedCells(batch.mask(slot)).masked(input), sample: slot, number: 2)
        }
        #expect(grid.sheet.bytes.array == drawn.sheet.bytes.array)
        #expect(try smallRecipe(["seed=1"]).preview(of: source, count: 4).sheet.bytes.array != grid.sheet.bytes.array)
    }
}

@Suite struct CheckpointPlaceTests {
    private func run() throws -> Scratch {
        let folder = try Scratch()
        for step in [10, 20] {
            let tensors = ["a", "b"].map { StoredTensor($0, [4], Floats([1, 2, 3, Float(step)])) }
            _ = CheckpointStore(folder.path + "/checkpoints").save(
                CheckpointContent(state: RunState(iteration: step), tensors: [.model: tensors, .average: tensors]))
        }
        return folder
    }

    @Test func `a run, its checkpoints and a step are all places`() throws {
        let folder = try run()
        let steps = ["10", "20"].map { folder.path + "/checkpoints/step-000000" + $0 }
        for (path, expected) in [("", steps), ("/checkpoints", steps), ("/checkpoints/step-00000010/", [steps[0]])] {
            let place = try CheckpointPlace(folder.path + path)
            #expect(place.folders == expected && place.run == folder.path)
        }
        try folder.write("empty/file", [])
        for path in ["/empty", "/empty/file", "/missing"] {
            #expect(throws: CheckpointError.self) { try CheckpointPlace(folder.path + path) }
        }
    }

    @Test func `every damaged file is named with its tensor, and an older step is taken`() throws {
        let folder = try run()
        for name in ["model", "ema"] {
            let path = "checkpoints/step-00000020/\(name).safetensors"
            var bytes = folder.bytes(path)
            bytes[bytes.count - 1] ^= 1
            try folder.write(path, bytes)
        }
        let place = try CheckpointPlace(folder.path)
        let damages = try Checkpoint(place.folders[1]).damages()
        #expect(damages.map { $0.place.split(separator: "/").last } == ["ema.safetensors", "model.safetensors"])
        #expect(damages.allSatisfy { $0.hint == "tensor 'b' is damaged" })
        var rejected = 0
        #expect(try place.newestValid { _ in rejected += 1 }.step == 10)
        #expect(rejected == 1)
    }
}
