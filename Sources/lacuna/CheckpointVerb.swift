import ArgumentParser

struct CheckpointVerb: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "checkpoint", abstract: "")
}
