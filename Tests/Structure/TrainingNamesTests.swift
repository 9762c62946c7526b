import Foundation
import Testing

/// The training loop knows methods, models and data by protocols alone.
@Suite struct TrainingNamesTests {
    /// What Training may name of the types declared in Objectives, Models and Batches, beside their protocols: values that
    /// travel along the path of data, each with its reason.
    static let vocabulary: [String: String] = [
        "Catalog": "where methods, models and parts are listed",
        "BatchTensors": "the inputs of a step", "Loss": "what is made smaller",
        "StepRecording": "handed to parts while a step is recorded", "HookContext": "handed to hooks that are made",
        "StepInputs": "a micro-batch on its way into the plan", "Measure": "a number of a log line",
        "StoredWeights": "weights on their way into an encoder", "ModelError": "place, found, expected, hint",
        "Batch": "a micro-batch", "BatchShape": "its extents", "BatchCut": "the part of a rank",
        "Loader": "the threads that fill batches", "Sampler": "their order", "Tolerance": "their limit of bad files",
        "Subset": "a part of a set, whatever the set is", "Image": "pixels for TensorBoard",
    ]

    /// Downcasts and comparisons of a kind's name that Training may hold, as `File.swift: line`.
    static let casts: [String] = []

    private let declaration = try? Regex(
        #"^(?:(?:public|package|internal|final|indirect) )*(struct|class|enum|actor|typealias|protocol) (\w+)"#)

    /// Names of the types that stand at the top level of a module's files.
    private func declared(in module: String, protocols: Bool) throws -> Set<String> {
        let declaration = try #require(declaration)
        var names: Set<String> = []
        for file in try swiftFiles(in: "Sources/\(module)") {
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                guard let match = String(line).firstMatch(of: declaration),
                    let kind = match.output[1].substring, let name = match.output[2].substring
                else { continue }
                if (kind == "protocol") == protocols { names.insert(String(name)) }
            }
        }
        return names
    }

    /// Lines of code of Training, with what is neither comment nor the inside of a string.
    private func lines() throws -> [(place: String, text: String)] {
        let text = try Regex(#""(\\.|[^"\\])*""#)
        return try swiftFiles(in: "Sources/Training").flatMap { file in
            try String(contentsOf: file, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
                .enumerated().map { number, line in
                    let code = String(line).replacing(text, with: "\"\"")
                    let end = code.firstRange(of: "//")?.lowerBound ?? code.endIndex
                    return ("\(file.lastPathComponent):\(number + 1)", String(code[..<end]))
                }
        }
    }

    @Test func `training names no concrete method, model or data`() throws {
        var forbidden: Set<String> = []
        for module in ["Objectives", "Models", "Batches"] {
            forbidden.formUnion(try declared(in: module, protocols: false))
            forbidden.subtract(try declared(in: module, protocols: true))
        }
        #expect(forbidden.isSuperset(of: Self.vocabulary.keys), "a word that is no type")
        forbidden.subtract(Self.vocabulary.keys)
        forbidden.subtract(try declared(in: "Training", protocols: false))
        let word = try Regex(#"(?:^|[^\w.])([A-Z]\w*)"#)
        for (place, line) in try lines() {
            for match in line.matches(of: word) {
                guard let name = match.output[1].substring else { continue }
                #expect(!forbidden.contains(String(name)), "\(place) names \(name)")
            }
        }
    }

    @Test func `training asks no value what it is`() throws {
        let cast = try Regex(#"\bas[?!]|\bis (any )?[A-Z]|\b[kK]ind == ""#)
        let found = try lines().filter { $0.text.firstMatch(of: cast) != nil }.map {
            "\($0.place.prefix { $0 != ":" }): \($0.text.drop { $0 == " " })"
        }
        #expect(found == Self.casts && found.count <= 3)
    }

    /// Longer than a screen, each with its reason.
    static let long: [String: String] = [
        "TrainingRun.init": "the order in which ranks meet while a run is put together",
        "ValueReader.structure": "what is wrong with a section is told once",
        "YAMLReader.node": "a switch over the forms of a node",
        "SwinTransformerSettings.check": "one guard a rule",
    ]

    @Test func `a function fits a screen`() throws {
        let head = try Regex(
            #"^( *)(?:(?:public|package|private|fileprivate|static|mutating|convenience|required|nonisolated|borrowing|@\w+) )*(?:(func|var) (\w+)|(init|subscript)\b)"#
        )
        for file in try swiftFiles(in: "Sources") {
            let lines = try String(contentsOf: file, encoding: .utf8).split(
                separator: "\n", omittingEmptySubsequences: false
            ).map(String.init)
            for (start, line) in lines.enumerated() {
                guard let match = line.firstMatch(of: head), let indent = match.output[1].substring,
                    let end = end(of: start, in: lines, indent: String(indent))
                else { continue }
                let name = match.output[3].substring ?? match.output[4].substring ?? ""
                let place = "\(file.deletingPathExtension().lastPathComponent).\(name)"
                #expect(
                    end - start < 40 || Self.long[place] != nil,
                    "\(file.lastPathComponent):\(start + 1): \(name) has \(end - start + 1) lines")
            }
        }
        #expect(Self.long.count <= 5)
    }

    /// The line of the brace that closes what is declared at `start`; nil where it has no body of its own.
    private func end(of start: Int, in lines: [String], indent: String) -> Int? {
        let isHead = { (line: String) in line.hasPrefix(indent + " ") || line.hasPrefix(indent + ")") }
        var open = start
        while !lines[open].hasSuffix("{") {
            open += 1
            guard open < lines.count, isHead(lines[open]) || lines[open] == indent + "{" else { return nil }
        }
        return lines[(open + 1)...].firstIndex { $0.hasPrefix(indent + "}") }
    }
}
