import ArgumentParser
import Batches

/// A part of the labelled training samples, drawn anew for each seed, as many of each class.
struct FewShot: ParsableArguments {
    @Option(help: "Use so many training samples of each class, drawn by seed.")
    var perClass: Int?

    @Option(help: "Use this share of each class, drawn by seed: 0.01 is 1 % of the labels.")
    var share: Double?

    func check() throws {
        if let perClass { try requirePositive(perClass, "--per-class") }
        if let share, !(share > 0 && share < 1) { throw ValidationError("--share \(share): above 0 to below 1") }
        if perClass != nil && share != nil { throw ValidationError("--per-class and --share: give one") }
    }

    /// Nil: all samples.
    var amount: ClassShare? { perClass.map { .perClass($0) } ?? share.map { .share($0) } }

    /// For file names.
    var variant: [String] { perClass.map { ["\($0)-per-class"] } ?? share.map { ["share-\($0)"] } ?? [] }

    /// For protocol cards.
    var text: String { perClass.map { "\($0) of each class" } ?? share.map { "\($0) of each class" } ?? "all" }
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
