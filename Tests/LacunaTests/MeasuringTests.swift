import Foundation
import Testing

/// The verbs plan, bench and doctor as a user or a script calls them.
@Suite struct MeasuringTests {
    private static let micro = "Recipes/simmim-vit_micro-digits.yaml"

    private func object(_ output: String) throws -> [String: Any] {
        let last = try #require(output.split(separator: "\n").last)
        return try #require(try JSONSerialization.jsonObject(with: Data(last.utf8)) as? [String: Any])
    }

    @Test func `bench step prints one object with what scripts compare`() throws {
        let ending = Program.shell("$LACUNA bench step \(Self.micro) --threads 1 --batch 4 --steps 2 --json")
        #expect(ending.code == 0)
        let result = try object(ending.output)
        for key in ["images_per_second", "seconds_per_step", "peak_bytes", "parameters", "flops_per_image"] {
            let number = try #require(result[key] as? Double, "\(key) is missing")
            #expect(number > 0, "\(key)")
        }
        #expect(result["threads"] as? Int == 1 && result["batch"] as? Int == 4 && result["steps"] as? Int == 2)
        #expect(result["level"] is String)
    }

    @Test(.enabled(if: Program.hasLauncher, "mpirun is not installed"))
    func `bench step counts the images of all ranks and speaks once`() throws {
        let command = "$LACUNA bench step \(Self.micro) --threads 1 --batch 4 --steps 2 --json"
        let ending = Program.shell("\(Program.mpirun(2)) \(command)")
        #expect(ending.code == 0)
        #expect(ending.output.split(separator: "\n").count { $0.hasPrefix("{") } == 1)
        #expect(try object(ending.output)["ranks"] as? Int == 2)
    }

    @Test func `bench ops names the operations and the product rate`() throws {
        let ending = Program.shell("$LACUNA bench ops \(Self.micro) --threads 1 --batch 4 --steps 2 --json")
        #expect(ending.code == 0)
        let result = try object(ending.output)
        let kinds = (result["operations"] as? [[String: Any]] ?? []).compactMap { $0["kind"] as? String }
        #expect(kinds.contains("Linear") && kinds.contains("update rule"))
        #expect((result["product_flops_per_second"] as? Double ?? 0) > 1e9)
    }

    @Test func `plan goes on without the data and without the memory`() throws {
        let large = "Recipes/simmim-vit_large-imagenet_1k-800ep.yaml"
        let ending = Program.shell("ulimit -v 4000000; $LACUNA plan \(large) --threads 1 --json")
        #expect(ending.code == 0, "\(ending.output)")
        let result = try object(ending.output)
        #expect((result["memory_bytes"] as? Double ?? 0) > 100e9)
        #expect(!(result["operations"] as? [Any] ?? []).isEmpty)
    }

    @Test func `a batch that does not divide into ranks is an error of usage`() {
        let ending = Program.shell("$LACUNA plan \(Self.micro) --ranks 3")
        #expect(ending.code == 64 && ending.output.contains("100 does not divide into 3 ranks"))
    }

    @Test func `doctor says what is too small for a recipe and ends with 78`() {
        let large = "Recipes/simmim-vit_large-imagenet_1k-800ep.yaml"
        let ending = Program.shell("$LACUNA doctor \(large) --set batch.global=65536 --threads 1")
        #expect(ending.code == 78, "\(ending.output)")
        #expect(ending.output.contains("problem  memory"))
    }

    @Test func `doctor warns of a long time to kill`() {
        let ending = Program.shell("OMPI_MCA_odls_base_sigkill_timeout=120 $LACUNA doctor --threads 1 --run /tmp")
        #expect(ending.output.contains("warning  signals"), "\(ending.output)")
    }
}
