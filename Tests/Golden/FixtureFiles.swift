import Checkpoints
import FoundationEssentials
import Messages
import Testing

/// Fixtures of every area as files: they open, their settings are JSON, and what is written again reads the same.
@Suite struct FixtureFiles {
    static var paths: [String] {
        let root = ProcessInfo.processInfo.environment["LACUNA_GOLDEN"] ?? "Tests/Golden/Fixtures"
        let paths = (try? FileManager.default.subpathsOfDirectory(atPath: root + "/")) ?? []
        return paths.filter { $0.hasSuffix(".safetensors") }.sorted().map { root + "/" + $0 }
    }

    @Test(arguments: paths) func `a fixture reads the same after it was written again`(_ path: String) throws {
        let file = try Safetensors(path)
        if let config = file.metadata["config"] { #expect(try JSON(config).object != nil) }
        let copy = FileManager.default.temporaryDirectory.path + "/lacuna-\(UUID().uuidString).safetensors"
        defer { try? FileManager.default.removeItem(atPath: copy) }
        try Safetensors.write(file.tensors, metadata: file.metadata, to: copy)
        let again = try Safetensors(copy)
        #expect(again.metadata == file.metadata && again.names == file.names.sorted())
        for tensor in file.tensors {
            let read = try again.tensor(tensor.name)
            #expect(read.kind == tensor.kind && read.shape == tensor.shape)
            #expect(read.bytes.array == tensor.bytes.array, "\(tensor.name)")
        }
    }
}
