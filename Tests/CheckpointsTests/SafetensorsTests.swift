import Checkpoints
import FoundationEssentials
import Testing

@Suite struct SafetensorsTests {
    @Test func `every golden file opens and its config is JSON`() throws {
        let root = ProcessInfo.processInfo.environment["LACUNA_GOLDEN"] ?? "Tests/Golden/Fixtures"
        var opened = 0
        for area in (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? [] {
            for name in (try? FileManager.default.contentsOfDirectory(atPath: root + "/" + area)) ?? []
            where name.hasSuffix(".safetensors") {
                let file = try Safetensors(root + "/" + area + "/" + name)
                for tensor in file.tensors { #expect(tensor.count == tensor.shape.reduce(1, *)) }
                if let config = file.metadata["config"] { #expect(try JSON(config).object != nil) }
                opened += 1
            }
        }
        #expect(opened > 0)
    }
}
