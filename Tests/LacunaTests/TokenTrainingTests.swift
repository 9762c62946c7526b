import Foundation
import Testing

/// Training on tokens with the program, on the digits that come with the project: from the tokenizer to features.
@Suite(.serialized) struct TokenTrainingTests {
    /// A folder with a tokenizer, both token sets and a short TokenAdapt.
    private func chain() throws -> Bench {
        let bench = try Bench()
        let runs = bench.folder
        let made = Program.shell(
            """
            $LACUNA tokenizer Recipes/tokenizer-vq_vit_micro-digits.yaml --threads 1 --run \(runs)/tokenizer \
                --set schedule.updates=60 --set objective.start_updates=20 --set checkpoint.every_updates=60 &&
            $LACUNA tokenize \(runs)/tokenizer --threads 1 --output \(runs)/train.safetensors &&
            $LACUNA tokenize \(runs)/tokenizer --threads 1 --evaluation --codebook \(runs)/train.safetensors \
                --output \(runs)/test.safetensors &&
            \(adapt(bench, run: "adapt", "--set schedule.epochs=1"))
            """)
        #expect(made.code == 0, "\(made.output)")
        #expect(made.output.contains("agreement"), "\(made.output)")
        return bench
    }

    private func adapt(_ bench: Bench, run: String, _ options: String) -> String {
        "$LACUNA pretrain Recipes/token_adapt-vq_vit_micro-digits.yaml --threads 1 --run \(bench.folder)/\(run) "
            + "--set objective.tokenizer=\(bench.folder)/tokenizer --set objective.tokens=\(bench.folder)/train.safetensors "
            + "--set schedule.warmup_epochs=0 --set log.every_updates=1 \(options)"
    }

    private func onTokens(_ bench: Bench, _ verb: String, _ recipe: String, run: String, _ options: String) -> String {
        "$LACUNA \(verb) Recipes/\(recipe).yaml --threads 1 --run \(bench.folder)/\(run) "
            + "--set data.train.path=\(bench.folder)/train.safetensors --set tokens.adapt.path=\(bench.folder)/adapt "
            + "--set data.evaluation.path=\(bench.folder)/test.safetensors "
            + "--set log.every_updates=1 \(options)"
    }

    private func mtm(
        _ bench: Bench, recipe: String = "mtm-token_vit_micro-digits", run: String, epochs: Int, _ options: String = ""
    ) -> String {
        onTokens(
            bench, "pretrain", recipe, run: run,
            "--set schedule.epochs=\(epochs) --set schedule.warmup_epochs=1 --set checkpoint.every_epochs=1 \(options)")
    }

    private func finetune(_ bench: Bench, run: String, epochs: Int, _ options: String = "") -> String {
        onTokens(
            bench, "finetune", "finetune-token_vit_micro-digits", run: run,
            "--set schedule.epochs=\(epochs) --set schedule.warmup_epochs=1 --set checkpoint.every_epochs=1 "
                + "--set evaluation.every_epochs=1 \(options)")
    }

    private func expectClose(_ bench: Bench, _ one: String, _ other: String, count: Int) {
        let (left, right) = (bench.metrics(run: one), bench.metrics(run: other))
        #expect(left.count == right.count && left.count >= count)
        let losses = [left, right].map { $0.compactMap { $0["loss"] } }
        #expect(losses[0].count == losses[1].count && losses[0].count >= count)
        let worst = zip(losses[0], losses[1]).map { abs($0 - $1) / max(abs($0), 1e-6) }
        #expect((worst.max() ?? .infinity) <= 1e-5, "losses of \(one) and \(other)")
    }

    @Test func `tokens are trained on, from pretraining to features`() throws {
        let bench = try chain()
        let pretrained = Program.shell(mtm(bench, run: "mtm", epochs: 4))
        #expect(pretrained.code == 0, "\(pretrained.output)")
        let losses = bench.metrics(run: "mtm").compactMap { $0["loss"] }
        let first = try #require(losses.first), last = try #require(losses.last)
        #expect(first > 2 && last < first)
        let tuned = Program.shell(finetune(bench, run: "tuned", epochs: 2, "--from \(bench.folder)/mtm"))
        #expect(tuned.code == 0 && tuned.output.contains("test of the last weights"), "\(tuned.output)")
        for verb in ["probe", "knn"] {
            let scores = Program.shell(
                "$LACUNA \(verb) \(bench.folder)/mtm --threads 1")
            #expect(scores.code == 0, "\(verb): \(scores.output)")
        }
    }

    @Test(.enabled(if: Program.hasLauncher, "mpirun is not installed"))
    func `one, two and four ranks learn the same from tokens`() throws {
        let bench = try chain()
        for ranks in [1, 2, 4] {
            let launch = ranks == 1 ? "" : Program.mpirun(ranks) + " "
            let commands = [
                mtm(bench, run: "mtm-\(ranks)", epochs: 4),
                mtm(bench, recipe: "mtm-token_vit_micro-by_token_vit-digits", run: "guided-\(ranks)", epochs: 4),
                finetune(bench, run: "tuned-\(ranks)", epochs: 2),
                adapt(bench, run: "adapt-\(ranks)", "--set schedule.epochs=2"),
            ]
            for command in commands {
                let ending = Program.shell(launch + command)
                #expect(ending.code == 0, "\(ending.output)")
            }
        }
        for ranks in [2, 4] {
            expectClose(bench, "mtm-1", "mtm-\(ranks)", count: 50)
            expectClose(bench, "guided-1", "guided-\(ranks)", count: 50)
            expectClose(bench, "tuned-1", "tuned-\(ranks)", count: 28)
            expectClose(bench, "adapt-1", "adapt-\(ranks)", count: 28)
        }
    }

    @Test func `training on tokens that was stopped goes on with the same bytes`() throws {
        let bench = try chain()
        let command = { run, options in
            mtm(bench, run: run, epochs: 2, "--set checkpoint.every_epochs=1 " + options)
        }
        #expect(Program.shell(command("whole", "")).code == 0)
        #expect(bench.during(command("parts", ""), run: "parts", steps: 18, "kill -9 $job").code != 0)
        let resumed = Program.shell(command("parts", "--resume"))
        #expect(resumed.code == 0, "\(resumed.output)")
        bench.expectSameBytes("parts", "whole", step: 28)
    }

    @Test func `TokenAdapt of another codebook is refused`() throws {
        let bench = try chain()
        let other = Program.shell(
            """
            $LACUNA tokenizer Recipes/tokenizer-vq_vit_micro-digits.yaml --threads 1 --run \(bench.folder)/other \
                --set seed=1 --set schedule.updates=60 --set objective.start_updates=20 \
                --set checkpoint.every_updates=60 &&
            $LACUNA tokenize \(bench.folder)/other --threads 1 --output \(bench.folder)/other.safetensors
            """)
        #expect(other.code == 0, "\(other.output)")
        let foreign = Program.shell(
            mtm(bench, run: "foreign", epochs: 1, "--set data.train.path=\(bench.folder)/other.safetensors"))
        #expect(foreign.code == 64 && foreign.output.contains("belongs to one codebook"), "\(foreign.output)")
    }
}
