import ArgumentParser
import Batches

/// A part of the labelled training samples, drawn anew for each seed, as many of each class.
struct FewShot: ParsableArguments {
    @Option(help: "Use so many training samples of each class, drawn by seed.")
    var shots: Int?

    @Option(help: "Use this part of each class, drawn by seed: 0.01 is 1 % of the labels.")
    var labelFraction: Double?

    func validate() throws {
        if let shots { try requirePositive(shots, "--shots") }
        if let labelFraction, !(labelFraction > 0 && labelFraction < 1) {
            throw ValidationError("--label-fraction \(labelFraction): above 0 to below 1")
        }
        if shots != nil && labelFraction != nil { throw ValidationError("--shots and --label-fraction: give one") }
    }

    /// Nil: all samples.
    var amount: ClassShare? { shots.map { .perClass($0) } ?? labelFraction.map { .share($0) } }

    /// For file names.
    var variant: [String] { shots.map { ["\($0)-shot"] } ?? labelFraction.map { ["labels-\($0)"] } ?? [] }

    /// For evaluation cards.
    var text: String { shots.map { "\($0) of each class" } ?? labelFraction.map { "\($0) of each class" } ?? "all" }
}

/// `0,1,2` as a command line has it.
struct Seeds: ExpressibleByArgument {
    let list: [UInt64]

    init(_ list: [UInt64]) { self.list = list }

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { UInt64($0) }
        let numbers = parts.compactMap(\.self)
        guard numbers.count == parts.count, !numbers.isEmpty, Set(numbers).count == numbers.count else { return nil }
        list = numbers
    }

    var defaultValueDescription: String { list.map(String.init).joined(separator: ",") }
}
