import Foundation
import Testing

/// Training on tokens with the program, on the digits that come with the project: from the tokenizer to features.
@Suite(.serialized) struct TokenTrainingTests {
    /// A short tokenizer in the folder `run` and the set that it makes of the training images.
    private func tokenizer(_ bench: Bench, run: String, set: String, _ options: String = "") -> String {
        """
        $LACUNA tokenizer Recipes/tokenizer-vq_vit_micro-digits.yaml --threads 1 --run \(bench.folder)/\(run) \
            --set schedule.updates=60 --set objective.start_updates=20 --set checkpoint.every_updates=60 \(options) &&
        $LACUNA tokenize \(bench.folder)/\(run) --threads 1 --output \(bench.folder)/\(set).safetensors
        """
    }

    /// A folder with a tokenizer, both token sets and a short TokenAdapt.
    private func chain() throws -> Bench {
        let bench = try Bench()
        let runs = bench.folder
        let made = Program.shell(
            """
            \(tokenizer(bench, run: "tokenizer", set: "train")) &&
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

    /// SeiT from scratch on the code vectors of the digits, whose grids make 2 x 2 patches.
    private func seit(_ bench: Bench, run: String, epochs: Int, _ options: String = "") -> String {
        onTokens(
            bench, "finetune", "seit-token_vit_micro-fashion_mnist-20ep", run: run,
            "--set tokens.adapt=null --set tokens.size=4 --set tokens.codebook_size=64 --set tokens.code_dim=8 "
                + "--set 'tokens.mix={mixup_alpha: 0, cutmix_alpha: 1}' --set model.depth=2 --set batch.global=96 "
                + "--set schedule.epochs=\(epochs) --set schedule.warmup_epochs=0 --set checkpoint.every_epochs=1 "
                + "--set evaluation=null \(options)")
    }

    /// Of at least 50 updates.
    private func expectClose(_ bench: Bench, _ one: String, _ other: String) {
        let (left, right) = (bench.metrics(run: one), bench.metrics(run: other))
        #expect(left.count == right.count)
        let losses = [left, right].map { $0.compactMap { $0["loss"] } }
        #expect(losses[0].count == losses[1].count && losses[0].count >= 50)
        let worst = zip(losses[0], losses[1]).map { abs($0 - $1) / max(abs($0), 1e-6) }.max() ?? .infinity
        print("\(one) and \(other): losses differ by at most \(worst), relative")
        #expect(worst <= 1e-5, "losses of \(one) and \(other)")
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
    func `one, two and four ranks learn the same from tokens over 50 steps`() throws {
        let bench = try chain()
        // Two passes of 29 updates, one of 58.
        let half = "--set batch.global=48", quarter = "--set batch.global=24"
        for ranks in [1, 2, 4] {
            let launch = ranks == 1 ? "" : Program.mpirun(ranks) + " "
            let commands = [
                mtm(bench, run: "mtm-\(ranks)", epochs: 4),
                mtm(bench, recipe: "mtm-token_vit_micro-by_token_vit-digits", run: "guided-\(ranks)", epochs: 4),
                finetune(bench, run: "tuned-\(ranks)", epochs: 2, half),
                adapt(bench, run: "adapt-\(ranks)", "--set schedule.epochs=2 \(half)"),
                seit(bench, run: "seit-\(ranks)", epochs: 1, quarter),
            ]
            for command in commands {
                let ending = Program.shell(launch + command)
                #expect(ending.code == 0, "\(ending.output)")
            }
        }
        for stage in ["mtm", "guided", "tuned", "adapt", "seit"] {
            for ranks in [2, 4] { expectClose(bench, "\(stage)-1", "\(stage)-\(ranks)") }
        }
    }

    /// A checkpoint after each pass of 14 updates; the kill falls into the second one.
    @Test func `training on tokens that was stopped goes on with the same bytes`() throws {
        let bench = try chain()
        func expectSameBytes(_ stage: String, step: Int, _ command: (_ run: String, _ options: String) -> String) {
            let (whole, parts) = (stage + "-whole", stage + "-parts")
            let undisturbed = Program.shell(command(whole, ""))
            #expect(undisturbed.code == 0, "\(undisturbed.output)")
            #expect(bench.during(command(parts, ""), run: parts, steps: 18, "kill -9 $job").code != 0, "\(stage)")
            let resumed = Program.shell(command(parts, "--resume"))
            #expect(resumed.code == 0 && resumed.output.contains("resumed after update"), "\(resumed.output)")
            bench.expectSameBytes(parts, whole, step: step)
        }
        expectSameBytes("adapt", step: 28) { adapt(bench, run: $0, "--set schedule.epochs=2 \($1)") }
        expectSameBytes("mtm", step: 28) { mtm(bench, run: $0, epochs: 2, $1) }
        expectSameBytes("tuned", step: 28) { finetune(bench, run: $0, epochs: 2, "--set evaluation=null \($1)") }
        // Its steps are short: a third pass makes sure that the kill meets it.
        expectSameBytes("seit", step: 42) { seit(bench, run: $0, epochs: 3, $1) }
    }

    /// Two tokenizers of one recipe give sets that agree in everything but what the ids mean.
    @Test func `ids of another tokenizer are refused`() throws {
        let bench = try chain()
        let other = Program.shell(tokenizer(bench, run: "other", set: "other", "--set seed=1"))
        #expect(other.code == 0, "\(other.output)")
        let set = bench.folder + "/other.safetensors"
        let train = "--set data.train.path=\(set)", evaluation = "--set data.evaluation.path=\(set)"
        func expectRefusal(_ command: String, code: Int32, _ text: String) {
            let ending = Program.shell(command)
            #expect(ending.code == code && ending.output.contains(text), "\(command): \(ending.output)")
        }
        expectRefusal(
            adapt(bench, run: "mixed", "--set schedule.epochs=1 --set objective.tokens=\(set)"), code: 65,
            "ids of the tokenizer")
        expectRefusal(mtm(bench, run: "foreign", epochs: 1, train), code: 64, "belongs to one codebook")
        let pretrained = Program.shell(mtm(bench, run: "mtm", epochs: 2))
        #expect(pretrained.code == 0, "\(pretrained.output)")
        let run = bench.folder + "/mtm"
        for verb in ["probe \(run)", "knn \(run)", "embed \(run) --output \(bench.folder)/features.safetensors"] {
            expectRefusal("$LACUNA \(verb) --threads 1 \(evaluation)", code: 65, "two codebooks")
            expectRefusal("$LACUNA \(verb) --threads 1 \(train) \(evaluation)", code: 64, "learned from ids")
        }
        for (place, start) in [run, run + "/checkpoints/step-00000028/model.safetensors"].enumerated() {
            let options = "--from \(start) --set tokens.adapt=null \(train) \(evaluation)"
            expectRefusal(finetune(bench, run: "tuned-\(place)", epochs: 1, options), code: 64, "learned from ids")
        }
    }

    /// Training on enlarged grids went on in silence; edits with too few neighbours ended in a trap.
    @Test(arguments: [
        ("tokens.size=6", "grids of 4 tokens a side"),
        ("tokens.edit='{synonyms: 0.25, swap: 0.25}'", "expected more than 5"),
    ])
    func `a token set too small for the recipe is refused`(change: String, message: String) throws {
        let bench = try Bench()
        let made = Program.shell(tokenizer(bench, run: "tokenizer", set: "train", "--set objective.codebook_size=5"))
        #expect(made.code == 0, "\(made.output)")
        let ending = Program.shell(mtm(bench, run: "mtm", epochs: 1, "--set \(change)"))
        #expect(ending.code == 65 && ending.output.contains(message), "\(ending.output)")
    }
}
