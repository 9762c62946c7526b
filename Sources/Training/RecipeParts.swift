public import Batches
import Kernels
import Optimizers
import Platform
public import Recipes

// What the sections of a recipe stand for in the modules that know no recipes.

extension Recipe {
    /// Opens a data section. Where the data are missing, the error says how to get them.
    /// - Parameter tolerance: the bad files of a folder beyond which it is refused.
    public func source(_ section: Section, tolerance: Tolerance = Tolerance()) throws -> any SampleSource {
        do {
            return try open(section, tolerance)
        } catch let error as DataError {
            guard let refusal = error.refusal, refusal.isMissing else { throw error }
            throw DataError(refusal, hint: Self.hint(missing: error.place, error.hint))
        }
    }

    private static func hint(missing path: String, _ known: String) -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let data = parts.indices.dropFirst(2).first { parts[$0] == "data" && parts[$0 - 2] == "Datasets" }
        guard let data else {
            return known.isEmpty ? "paths in a recipe start at the folder where lacuna is started" : known
        }
        let hint = "run \(parts[..<data].joined(separator: "/"))/prepare, or start where Datasets lies"
        return known.contains("prepare") || known.isEmpty ? hint : "\(hint); \(known)"
    }

    private func open(_ section: Section, _ tolerance: Tolerance) throws -> any SampleSource {
        switch section.kind {
        case "procedural":
            let settings = try section.decode(ProceduralSettings.self)
            return try Procedural(
                seed: settings.seed, count: settings.count, size: settings.size, first: settings.first)
        case "folder":
            let settings = try section.decode(FolderSettings.self)
            return try ImageFolder(settings.path, manifest: Manifest(settings.index), tolerance: tolerance)
        case "tokens":
            let set = try TokenSet(section.decode(TokenSettings.self).path)
            try checkTokens(set.grid, of: set.path)
            return set
        default:
            let settings = try section.decode(PartedSettings.self)
            let split: Split = settings.part == .train ? .train : .test
            switch section.kind {
            case "cifar10": return try CIFAR(.ten, folder: settings.path, split: split)
            case "cifar100": return try CIFAR(.hundred, folder: settings.path, split: split)
            case "digits": return try Digits(settings.path, split: split)
            default:
                return try IDX(
                    folder: settings.path, split: split, name: settings.path, classes: IDX.digitNames)
            }
        }
    }

    /// Seeds by purpose, as a checkpoint keeps them.
    var seeds: [String: UInt64] {
        var seeds = ["run": seed]
        if has(NoiseStage.key) { seeds["grad_noise"] = noiseSeed }
        if let noise = data.labelNoise { seeds["label_noise"] = noise.seed }
        return seeds
    }
}
