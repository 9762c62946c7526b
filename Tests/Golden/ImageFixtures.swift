import Batches
import Checkpoints
import FoundationEssentials
import Kernels
import Testing

/// Fixtures of pictures and masks: safetensors files of one folder, told apart by what their metadata holds.
struct ImageFixture<Config: Decodable & Sendable>: Sendable, CustomTestStringConvertible {
    let path: String
    let config: Config
    let tensors: Safetensors

    var testDescription: String { path.split(separator: "/").suffix(2).joined(separator: "/") }
    var folder: String { String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) }

    /// The files of `area` whose `config` decodes as this kind.
    static func all(in area: String) -> [ImageFixture] {
        goldenFiles(in: area, ending: ".safetensors").compactMap { path in
            guard let tensors = try? Safetensors(path), let text = tensors.metadata["config"],
                let config = try? JSONDecoder().decode(Config.self, from: Data(text.utf8))
            else { return nil }
            return ImageFixture(path: path, config: config, tensors: tensors)
        }
    }

    /// An 8-bit picture stored as (H, W, 3).
    func image(_ name: String) throws -> Image {
        let tensor = try tensors.tensor(name)
        try #require(tensor.kind == .u8 && tensor.shape.count == 3 && tensor.shape[2] == 3)
        return Image(height: tensor.shape[0], width: tensor.shape[1], bytes: tensor.bytes)
    }
}

extension ImageFixture {
    /// The picture `input/image<number>`, whatever follows the number.
    func numberedImage(_ number: Int) throws -> Image {
        let prefix = "input/image\(number)"
        let name = tensors.names.first { $0.hasPrefix(prefix) && $0.dropFirst(prefix.count).first?.isNumber != true }
        return try image(#require(name))
    }
}

/// The root of the fixtures, then one folder per area.
func goldenFiles(in area: String, ending: String) -> [String] {
    let besides = String(#filePath.dropLast("ImageFixtures.swift".count)) + "Fixtures"
    let folder = (ProcessInfo.processInfo.environment["LACUNA_GOLDEN"] ?? besides) + "/" + area
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.filter { $0.hasSuffix(ending) }.sorted().map { folder + "/" + $0 }
}

/// Fails with the number of different values and the first of them.
func expectEqual(_ image: borrowing Image, _ expected: StoredTensor, _ place: String) {
    expectEqual([image.height, image.width, 3], image.bytes.array, expected.shape, expected.bytes.array, place)
}

/// Floats (H, W, 3) against a tensor (3, H, W), bit for bit.
func expectEqual(_ floats: Floats, height: Int, width: Int, channelsFirst expected: StoredTensor, _ place: String) {
    let pixels = height * width
    let planes = (0..<3 * pixels).map { floats[$0 % pixels * 3 + $0 / pixels] }
    expectEqual([3, height, width], planes, expected.shape, expected.floats, place)
}

private func expectEqual<Value: Equatable>(
    _ shape: [Int], _ found: [Value], _ expectedShape: [Int], _ expected: [Value], _ place: String
) {
    guard shape == expectedShape, found.count == expected.count else {
        Issue.record("\(place): shape \(shape), expected \(expectedShape)")
        return
    }
    let wrong = found.indices.filter { found[$0] != expected[$0] }
    guard let first = wrong.first else { return }
    Issue.record(
        "\(place): \(wrong.count) of \(found.count) differ, first at \(first): \(found[first]), expected \(expected[first])"
    )
}
