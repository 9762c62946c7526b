import Checkpoints
import FoundationEssentials
import Kernels
import Testing

/// A golden file with its settings decoded from the metadata.
struct OptimFile<Settings: Decodable>: CustomTestStringConvertible {
    let name: String
    let settings: Settings
    let file: Safetensors

    var testDescription: String { name }

    func floats(_ key: String) throws -> [Float] { try file.tensor(key).floats }
    func floats(_ keys: [String]) throws -> [Float] { try keys.flatMap { try floats($0) } }
    func integers(_ key: String) throws -> [Int] { try file.tensor(key).integers }
    func rank(_ key: String) throws -> Int { try file.tensor(key).shape.count }
    /// What follows `prefix` in the names that begin with it, in byte order.
    func parts(after prefix: String) -> [String] {
        file.names.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }.sorted()
    }
}

extension OptimFile: @unchecked Sendable where Settings: Sendable {}

/// The files of one area whose settings decode as `Settings` and hold the tensors that `isKind` looks for.
func optimFiles<Settings: Decodable>(
    _ area: String, _ type: Settings.Type, where isKind: (OptimFile<Settings>) -> Bool = { _ in true }
) -> [OptimFile<Settings>] {
    let root = ProcessInfo.processInfo.environment["LACUNA_GOLDEN"] ?? "Tests/Golden/Fixtures"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(root)/\(area)")) ?? []
    return names.filter { $0.hasSuffix(".safetensors") }.sorted().compactMap { name in
        guard let file = try? Safetensors("\(root)/\(area)/\(name)"), let config = file.metadata["config"],
            let settings = try? JSONDecoder().decode(Settings.self, from: Data(config.utf8))
        else { return nil }
        let found = OptimFile(name: name, settings: settings, file: file)
        return isKind(found) ? found : nil
    }
}

/// |ours - reference| <= 2e-6 + 1e-5·|reference|, the acceptance of the optimiser specification.
func expectClose(
    _ ours: [Float], _ reference: [Float], _ what: String, sourceLocation: SourceLocation = #_sourceLocation
) {
    guard ours.count == reference.count else {
        Issue.record("\(what): \(ours.count) values, reference \(reference.count)", sourceLocation: sourceLocation)
        return
    }
    let worst = zip(ours, reference).map { abs($0 - $1) / (2e-6 + 1e-5 * abs($1)) }
        .reduce(Float(0)) { $1.isNaN ? .infinity : max($0, $1) }
    #expect(worst <= 1, "\(what): \(worst) of the tolerance", sourceLocation: sourceLocation)
}

func expectRelative(
    _ ours: Double, _ reference: Double, _ tolerance: Double, _ what: String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let bound = tolerance * abs(reference) + 1e-300
    #expect(abs(ours - reference) <= bound, "\(what): \(ours), reference \(reference)", sourceLocation: sourceLocation)
}
