import Checkpoints
import Messages

/// Where and how a run was started last.
struct EnvironmentSection: ReportSection {
    let title = "Environment"

    func content(_ runs: [ReportedRun]) -> HTML {
        let keys = Set(runs.flatMap(\.environment.keys)).sorted()
        var table = HTMLTable(head: runs.count > 1 ? [""] + runs.map { "\($0.name)" } : [])
        for key in keys {
            let values = runs.map { value(key, $0.environment[key]) }
            if values.contains(where: { !$0.isEmpty }) { table.rows.append(["<b>\(key)</b>"] + values) }
        }
        return table.html
    }

    private func value(_ key: String, _ value: JSON?) -> HTML {
        guard let value else { return "–" }
        switch key {
        case "command": return "<code>\((value.strings ?? []).joined(separator: " "))</code>"
        case "hosts":
            let counts = Dictionary(grouping: value.strings ?? []) { $0 }.mapValues(\.count)
            let hosts = counts.sorted { $0.key < $1.key }.map { $0.key + ($0.value > 1 ? " × \($0.value)" : "") }
            return "\(hosts.joined(separator: ", "))"
        default: return "\(value.plainText)"
        }
    }
}

/// The recipes as they were run, and in which keys they differ.
struct RecipeSection: ReportSection {
    let title = "Recipe"

    func content(_ runs: [ReportedRun]) -> HTML {
        differences(runs)
            + each(runs) { run in
                run.recipeText.isEmpty ? "" : folded("The whole recipe", "<pre>\(run.recipeText)</pre>\n")
            }
    }

    private func differences(_ runs: [ReportedRun]) -> HTML {
        guard runs.count > 1 else { return "" }
        let recipes = runs.map { run in
            Dictionary(run.recipe?.flattened ?? [], uniquingKeysWith: { first, _ in first })
        }
        var table = HTMLTable(head: ["key"] + runs.map { "\($0.name)" })
        for key in Set(recipes.flatMap(\.keys)).sorted() {
            let values = recipes.map { $0[key] }
            guard Set(values).count > 1 else { continue }
            table.rows.append(["<code>\(key)</code>"] + values.map { "\($0 ?? "–")" })
        }
        return table.rows.isEmpty ? "<p class=\"note\">All runs have the same recipe.</p>\n" : table.html
    }
}
