import ArgumentParser

struct PlanVerb: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "plan", abstract: "")
}
