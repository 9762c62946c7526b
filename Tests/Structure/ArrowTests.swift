import Foundation
import Testing

/// The repository's root, found from this file.
let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

/// The Swift files below a folder of the repository.
func swiftFiles(in folder: String) throws -> [URL] {
    let all = FileManager.default.enumerator(at: root.appending(path: folder), includingPropertiesForKeys: nil)
    let files = (all?.allObjects as? [URL] ?? []).filter { $0.pathExtension == "swift" }
    return files.sorted { $0.path < $1.path }
}

/// What each module may import of the others. Sources/README.md explains the layers.
let arrows: [String: Set<String>] = {
    let compute: Set<String> = ["Kernels", "Platform"]
    let all = compute.union([
        "Autodiff", "Layers", "Models", "Objectives", "Batches", "Cluster", "Checkpoints", "Messages", "Recipes",
    ])
    return [
        "Messages": [],
        "Recipes": ["Messages", "Yams"],
        "Kernels": ["CKernels", "COpenBLAS"],
        "Platform": ["Kernels", "CZlib"],
        "Autodiff": ["Kernels"],
        "Batches": compute.union(["CImage", "Messages", "Recipes"]),
        "Cluster": compute.union(["COpenMPI"]),
        "Checkpoints": compute.union(["Messages"]),
        "Layers": ["Autodiff", "Kernels"],
        "Models": ["Layers", "Autodiff", "Kernels", "Messages", "Recipes"],
        "Objectives": compute.union([
            "Models", "Layers", "Optimizers", "Autodiff", "Batches", "Cluster", "Checkpoints", "Messages", "Recipes",
        ]),
        "Optimizers": ["Autodiff", "Kernels", "Recipes"],
        "Training": all.union(["Optimizers"]),
        // For the parts of a recipe, so that they are put together in one place; the training loop stays its own.
        "Evaluation": all.union(["Training", "Optimizers"]),
        "lacuna": all.union(["Training", "Evaluation", "Optimizers", "ArgumentParser"]),
    ]
}()

@Suite struct ArrowTests {
    /// Modules of the toolchain, open to all.
    private let toolchain: Set<String> = ["Glibc", "FoundationEssentials", "Synchronization"]

    @Test(arguments: arrows.keys.sorted()) func `a module imports only what its layer allows`(module: String) throws {
        let allowed = try #require(arrows[module]).union(toolchain)
        let pattern = try Regex(
            #"^\s*(?:@\w+\s+)*(?:public |package |internal |private |fileprivate )?import (?:\w+ )?(\w+)"#)
        for file in try swiftFiles(in: "Sources/\(module)") {
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                guard let name = try pattern.firstMatch(in: String(line))?.output[1].substring else { continue }
                #expect(allowed.contains(String(name)), "\(module)/\(file.lastPathComponent) imports \(name)")
            }
        }
    }

    @Test func `every source folder has its arrows`() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: root.appending(path: "Sources").path)
        let swift = folders.filter { !$0.hasPrefix("C") || $0 == "Cluster" || $0 == "Checkpoints" }
        #expect(Set(swift).subtracting(["README.md"]) == Set(arrows.keys))
    }

    /// The types that may hold the word `unsafe` above the kernels: a file with the word declares no others.
    private let fenced: Set<Substring> = ["MPIWorld", "NodeNews", "JPEGDecoder", "PixelLoops"]

    @Test func `the word unsafe stays in a few types above the kernels`() throws {
        let word = try Regex(#"\bunsafe\b"#)
        let declaration = try Regex(
            #"^(?:@\w+ )?(?:public |package )?(?:final )?(?:struct|enum|class|actor|protocol|extension) (\w+)"#)
        var found: Set<Substring> = []
        for module in arrows.keys where module != "Kernels" && module != "Platform" {
            for file in try swiftFiles(in: "Sources/\(module)") {
                let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
                let code = lines.filter { !$0.drop { $0 == " " }.hasPrefix("//") }
                guard code.contains(where: { $0.firstMatch(of: word) != nil }) else { continue }
                let types = Set(code.compactMap { $0.firstMatch(of: declaration)?.output[1].substring })
                #expect(types.isSubset(of: fenced), "\(file.lastPathComponent) declares \(types)")
                found.formUnion(types)
            }
        }
        #expect(found == fenced, "no longer needed: \(fenced.subtracting(found))")
    }
}
