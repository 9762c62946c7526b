import ArgumentParser

struct Reconstruct: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "reconstruct", abstract: "")
}
