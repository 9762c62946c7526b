import Foundation
import Testing

/// Runs that a program of schema 1 left half way: later programs go on with them, bit for bit.
@Suite(.serialized) struct Schema1RunTests {
    private static let fixture = "Tests/TrainingTests/Fixtures/schema1"
    /// The level that the fixtures were computed at.
    private static let hasLevel = Program.shell("grep -qw avx2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo").code == 0

    /// Resumes a copy and compares the tensors of its last step with those of a run that was never stopped.
    /// - Parameter recipe: arguments that name it; `$copy` is the folder of the run.
    private func resume(_ verb: String, _ kind: String, _ recipe: String, before: String = "true") -> Ending {
        Program.shell(
            """
            export LACUNA_LEVEL=v3 copy=$(mktemp -d)/run
            trap 'rm -rf "${copy%/run}"' EXIT
            cp -r \(Self.fixture)/\(kind) "$copy"
            { \(before); } && "$LACUNA" \(verb) \(recipe) --resume --threads 1 || exit
            for file in \(Self.fixture)/expected/\(kind)/*.safetensors; do
                cmp "$file" "$copy/checkpoints/step-00000006/${file##*/}" || exit 99
            done
            """)
    }

    private static let upgrade = "\"$LACUNA\" recipe upgrade \"$copy/recipe.yaml\""

    @Test(.enabled(if: hasLevel), arguments: [("pretrain", "run"), ("finetune", "finetune")])
    func `with its upgraded recipe`(verb: String, kind: String) {
        let ending = resume(verb, kind, "\"$copy/recipe.yaml\" --run \"$copy\"", before: Self.upgrade)
        #expect(ending.code == 0, "\(ending.output)")
        #expect(!ending.output.contains("recipe changed"), "\(ending.output)")
    }

    @Test(.enabled(if: hasLevel), arguments: [("pretrain", "run"), ("finetune", "finetune")])
    func `given the run's folder alone`(verb: String, kind: String) {
        let ending = resume(verb, kind, "\"$copy\"")
        #expect(ending.code == 0, "\(ending.output)")
        #expect(!ending.output.contains("recipe changed"), "\(ending.output)")
    }

    @Test func `a recipe of schema 1 that a user gives is refused with the command that rewrites it`() {
        let ending = resume("pretrain", "run", "\"$copy/recipe.yaml\" --run \"$copy\"")
        #expect(ending.code == 64)
        #expect(ending.output.contains("run `lacuna recipe upgrade "), "\(ending.output)")
    }

    @Test func `upgrading twice changes nothing, and a failure leaves every file alone`() {
        let ending = Program.shell(
            """
            folder=$(mktemp -d)
            trap 'rm -rf "$folder"' EXIT
            cp \(Self.fixture)/run/recipe.yaml "$folder/a.yaml" && cp "$folder/a.yaml" "$folder/b.yaml"
            printf 'extends: a.yaml\nmodel:\n  width: 16  # wider\n' > "$folder/c.yaml"
            "$LACUNA" recipe upgrade "$folder/b.yaml" "$folder/gone.yaml" && exit 1
            cmp "$folder/a.yaml" "$folder/b.yaml" || exit 2
            "$LACUNA" recipe upgrade "$folder"/[ac].yaml && "$LACUNA" recipe check "$folder/c.yaml" || exit 3
            grep -q '  embed_dim: 16  # wider' "$folder/c.yaml" || exit 4
            cp "$folder/a.yaml" "$folder/once.yaml" && "$LACUNA" recipe upgrade "$folder/a.yaml" || exit 5
            cmp "$folder/a.yaml" "$folder/once.yaml" && [ $(ls "$folder" | wc -l) = 4 ]
            """)
        #expect(ending.code == 0, "\(ending.output)")
        #expect(ending.output.contains("a.yaml: up to date"))
    }
}
