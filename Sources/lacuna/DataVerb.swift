import ArgumentParser

struct DataVerb: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "data", abstract: "")
}
