import Batches
import Checkpoints
import FoundationEssentials
import Kernels
import Recipes
import Testing

/// Token augmentations with every draw given.
@Suite struct SeiTAugmentation {
    /// Angle, translation and shear of an affine map: [number, [x, y], [x, y]].
    struct Affine: Decodable, Sendable {
        let angle: Double
        let translation, shear: [Double]

        init(from decoder: any Decoder) throws {
            var values = try decoder.unkeyedContainer()
            angle = try values.decode(Double.self)
            translation = try values.decode([Double].self)
            shear = try values.decode([Double].self)
        }

        func warp(side: Int) -> MapWarp {
            .affine(
                angle: angle, translation: (translation[0], translation[1]), shear: (shear[0], shear[1]), side: side)
        }
    }

    struct Config: Decodable, Sendable {
        let codebook_size, code_dim, grid_in, grid_out, num_classes, feat: Int
        let rrc: [[Int]]
        let rc: [Int]
        let replace_prob, mixup_lam: Double
        let swap: [[Int]]
        let noise_rows, labels: [Int]
        let cutmix: [Double]
        let affine: [String: Affine]
    }

    struct File: Sendable, CustomTestStringConvertible {
        let name: String
        let file: Safetensors
        let config: Config
        var testDescription: String { name }

        func floats(_ key: String) throws -> [Float] { try file.tensor(key).floats }
        func integers(_ key: String) throws -> [Int] { try file.tensor(key).integers }
        func maps(_ key: String) throws -> [Float] { channelsLast(try floats(key), try file.tensor(key).shape) }

        var samples: Int { config.rrc.count }
        var codebook: [Float] { get throws { try floats("input/codebook") } }
        /// The stored grids as code vectors.
        var embedded: [Float] {
            get throws { codeVectors(try integers("input/tokens"), try codebook, width: config.code_dim) }
        }
        /// The parts of the file's boxes, (B, m, m, D).
        func cropped(side: Int) throws -> Floats {
            try cut(side: side) { box in MapCrop(top: box[0], left: box[1], height: box[2], width: box[3]) }
        }

        func cut(side: Int, _ crop: ([Int]) -> MapCrop) throws -> Floats {
            let maps = Floats(try embedded)
            let result = Floats(zeros: samples * side * side * config.code_dim)
            let (from, to) = (maps.count / samples, result.count / samples)
            for (sample, box) in config.rrc.enumerated() {
                crop(box).resize(
                    maps[sample * from..<(sample + 1) * from], columns: config.grid_in,
                    into: result[sample * to..<(sample + 1) * to], side: side, channels: config.code_dim)
            }
            return result
        }
    }

    static let files: [File] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: SeiTModelFile.folder)) ?? []
        return names.filter { $0.hasSuffix(".safetensors") }.sorted().compactMap { name in
            guard let file = try? Safetensors("\(SeiTModelFile.folder)/\(name)"), file.contains("output/rrc_embedded"),
                let text = file.metadata["config"],
                let config = try? JSONDecoder().decode(Config.self, from: Data(text.utf8))
            else { return nil }
            return File(name: name, file: file, config: config)
        }
    }()
    static let colors = SeiTModelFile.files(holding: "input/permutation", "output/all_rows")
    private let pool = WorkerPool(threads: 2)

    @Test func `there are augmentations to compare with`() { #expect(!Self.files.isEmpty && !Self.colors.isEmpty) }

    @Test(arguments: files) func `a part of the grid is cut out and resized`(_ golden: File) throws {
        expectOutputs(try golden.embedded, try golden.maps("output/embedded"), "embedded")
        let side = golden.config.grid_out
        let cropped = try golden.cropped(side: side)
        for name in ["rrc_embedded", "rrc_onehot_then_codebook"] {
            expectOutputs(cropped.array, try golden.maps("output/\(name)"), name)
        }
        let twice = Int(Double(try golden.file.tensor("output/rrc_up2").shape[2]))
        expectOutputs(try golden.cropped(side: twice).array, try golden.maps("output/rrc_up2"), "rrc_up2")
        try expectCodes(cropped, golden, "rrc_codes")
        try expectCodes(
            try golden.cut(side: side) { _ in .centre(side, of: golden.config.grid_in) }, golden, "cc_codes")
        let corner = golden.config.rc
        try expectCodes(
            try golden.cut(side: side) { _ in MapCrop(top: corner[0], left: corner[1], height: side, width: side) },
            golden, "rc_codes")
    }

    /// The nearest codes by cosine.
    private func expectCodes(_ maps: Floats, _ golden: File, _ name: String) throws {
        let codebook = Codebook(Floats(try golden.codebook), width: golden.config.code_dim, metric: .cosine)
        let ids = Floats(zeros: maps.count / codebook.width)
        pool.nearestRows(
            maps, codes: codebook.normalizedRows, into: ids, width: codebook.width, isDistance: false,
            scratch: Floats(zeros: WorkerPool.nearestScratch(rows: ids.count, codes: codebook.count)))
        #expect(ids.array.map { Int($0) } == (try golden.integers("output/\(name)")), "\(name)")
    }

    @Test(arguments: files) func `ids are edited`(_ golden: File) throws {
        let count = golden.config.grid_in * golden.config.grid_in
        let ids = Indices(try golden.integers("input/tokens").map { Int32($0) })
        let uniform = try golden.floats("input/synonym_uniform"), picks = try golden.integers("input/synonym_pick")
        TokenEdit.replace(ids, synonyms: Indices(try golden.integers("input/synonyms").map { Int32($0) })) {
            Double(uniform[$0]) < golden.config.replace_prob ? picks[$0] : nil
        }
        #expect(ids.array.map { Int($0) } == (try golden.integers("output/synonym_tokens")))

        let swapped = Indices(try golden.integers("input/tokens").map { Int32($0) })
        for (sample, swap) in golden.config.swap.enumerated() {
            TokenEdit.exchange(
                swapped[sample * count..<(sample + 1) * count], side: golden.config.grid_in, block: swap[0],
                (swap[1], swap[2]), (swap[3], swap[4]), scratch: Indices(zeros: count))
        }
        #expect(swapped.array.map { Int($0) } == (try golden.integers("output/swap_tokens")))
    }

    @Test(arguments: files) func `noise, CutMix and mixup change what the reference changes`(_ golden: File) throws {
        let (config, side, D) = (golden.config, golden.config.grid_out, golden.config.code_dim)
        let count = side * side * D
        let noisy = try golden.cropped(side: side)
        let channels = try golden.maps("input/noise_channel"), elements = try golden.maps("input/noise_element")
        for sample in config.noise_rows {
            let map = sample * count..<(sample + 1) * count
            var normals = (channels[sample * D..<(sample + 1) * D] + elements[map]).makeIterator()
            TokenColor.addNoise(noisy[map], channels: D) { normals.next().map { Double($0) } ?? .nan }
        }
        expectOutputs(noisy.array, try golden.maps("output/noise_embedded"), "noise")
        try expectCodes(noisy, golden, "noise_codes")

        let partners = Recipe.Partner.mirror.indices(golden.samples)
        let box = CutMixBox(
            share: config.cutmix[0], centre: (Int(config.cutmix[1]), Int(config.cutmix[2])), height: side, width: side)
        let edges = [box.box.top, box.box.top + box.box.height, box.box.left, box.box.left + box.box.width]
        #expect(edges == (try golden.integers("output/cutmix_box_y0y1x0x1")))
        expectOutputs([Float(box.kept)], try golden.floats("output/cutmix_lam"), "λ")
        for (name, mixture) in [("cutmix", Mixture.paste(box)), ("mixup", .blend(kept: config.mixup_lam))] {
            let maps = try golden.cropped(side: side)
            let targets = Floats(oneHotRows(config.labels, config.num_classes))
            Mixing.mix(
                .init(values: maps, count: count, width: side, channels: D),
                .init(values: targets, count: config.num_classes, width: config.num_classes),
                Array(repeating: mixture, count: golden.samples), partners, scratch: Floats(zeros: count))
            expectOutputs(maps.array, try golden.maps("output/\(name)_embedded"), name)
            // The reference smooths by 0.1 before it mixes; the loss does the same to mixed targets.
            let smoothed = targets.array.map { 0.9 * $0 + 0.1 / Float(config.num_classes) }
            expectOutputs(smoothed, try golden.floats("output/\(name)_targets"), "\(name) targets")
            if name == "cutmix" { try expectCodes(maps, golden, "cutmix_codes") }
        }
    }

    @Test(arguments: files) func `feature maps are mirrored, turned, moved and sheared`(_ golden: File) throws {
        let shape = try golden.file.tensor("input/features").shape
        let features = Floats(try golden.maps("input/features"))
        let (side, channels, count) = (shape[2], shape[1], shape[1] * shape[2] * shape[3])
        let warps =
            golden.config.affine.mapValues { $0.warp(side: side) }
            .map { ("affine_\($0.key)", $0.value) } + [("hflip", .mirror(side: side))]
        for (name, warp) in warps {
            let result = Floats(zeros: features.count)
            for sample in 0..<shape[0] {
                let range = sample * count..<(sample + 1) * count
                warp.apply(features[range], into: result[range], side: side, channels: channels)
            }
            expectOutputs(result.array, try golden.maps("output/\(name)"), name)
        }
    }

    @Test(arguments: colors) func `ColorAdapt takes the partner's statistics`(_ golden: SeiTModelFile) throws {
        let shape = try golden.shape("input/embedded")
        let (samples, channels, count) = (shape[0], shape[1], shape[1] * shape[2] * shape[3])
        let order = try golden.integers("input/permutation")
        for (name, chosen) in [("all_rows", order), ("embedded", Array(order.prefix(samples / 2)))] {
            let maps = Floats(try golden.maps("input/embedded"))
            let statistics = (0..<samples).map { sample -> Floats in
                let values = Floats(zeros: 2 * channels)
                TokenColor.measure(maps[sample * count..<(sample + 1) * count], channels: channels, into: values)
                return values
            }
            for sample in chosen {
                TokenColor.adapt(
                    maps[sample * count..<(sample + 1) * count], channels: channels, own: statistics[sample],
                    other: statistics[samples - 1 - sample])
            }
            expectOutputs(maps.array, try golden.maps("output/\(name)"), name)
        }
    }
}
