import Foundation
import Testing

/// What a person meets who has just built the program: a clear line and the right exit code.
@Suite(.serialized) struct NewUserTests {
    @Test func `a wrong path is named once and ends with 64`() {
        let ending = Program.shell("$LACUNA pretrain Recipes/nowhere.yaml")
        #expect(ending.output == "lacuna: Recipes/nowhere.yaml: cannot open: No such file or directory\n")
        #expect(ending.code == 64)
    }

    @Test func `three errors of a recipe are reported with their lines in one run`() throws {
        let bench = try Bench([
            "  mask_ratio: 0.6": "  mask_ration: 0.6", "  depth: 4": "  depth: four", "  max_norm: 5": "  max_norm: -5",
        ])
        let ending = bench.train()
        let text = try String(contentsOfFile: bench.recipe, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false)
        for wrong in ["mask_ration", "depth: four", "max_norm: -5"] {
            let line = try #require(text.firstIndex { $0.contains(wrong) }) + 1
            #expect(ending.output.contains("recipe.yaml:\(line)"), "\(wrong): \(ending.output)")
        }
        #expect(ending.output.contains("did you mean 'mask_ratio'?"))
        #expect(ending.code == 64)
        #expect(!bench.exists("run"))
    }

    @Test func `missing data say which script gets them`() {
        let ending = Program.shell(
            """
            cd $(mktemp -d) && $LACUNA pretrain '\(Program.root)/Recipes/simmim-vit_micro-fashion_mnist-3ep.yaml' \
            ; code=$?; rmdir $PWD; exit $code
            """)
        #expect(ending.output.contains("Datasets/fashion-mnist/data/train-images-idx3-ubyte: cannot open"))
        #expect(ending.output.contains("run Datasets/fashion-mnist/prepare"), "\(ending.output)")
        #expect(ending.code == 65)
    }

    @Test(arguments: ["pretain Recipes/x.yaml", "pretrain", "pretrain Recipes/x.yaml --threads 0", "pretrain x --nope"])
    func `a command line that is none ends with 64`(_ words: String) {
        let ending = Program.shell("$LACUNA \(words)")
        #expect(ending.code == 64)
        #expect(ending.output.contains("lacuna"))
    }

    @Test func `processes of a launcher that does not fit end with 78 before any work`() throws {
        let bench = try Bench()
        let ending = Program.shell("OMPI_COMM_WORLD_SIZE=2 " + bench.pretrain())
        #expect(ending.output.contains("announces 2 ranks, but the MPI library sees 1"), "\(ending.output)")
        #expect(ending.code == 78)
        #expect(!bench.exists("run"))
    }

    @Test func `more threads than processors are taken back with a warning`() throws {
        let bench = try Bench(updates: 2)
        let ending = Program.shell(bench.pretrain().replacing("--threads 1", with: "--threads 500"))
        #expect(ending.output.contains("500 threads asked for"), "\(ending.output)")
        #expect(ending.code == 0)
    }

    @Test func `a level that this processor does not run ends with 78`() throws {
        let bench = try Bench()
        let ending = Program.shell("LACUNA_LEVEL=v9 " + bench.pretrain())
        #expect(ending.output.contains("LACUNA_LEVEL=v9"))
        #expect(ending.code == 78)
    }

    /// No limit is tested: other programs share the machine.
    @Test func `the time from process start to the first step is printed`() throws {
        let bench = try Bench(updates: 1)
        let ending = bench.train()
        #expect(ending.code == 0)
        print("from process start through one step and its checkpoint: \(ending.seconds) s")
    }
}
