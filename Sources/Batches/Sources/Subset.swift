public import Kernels
import Platform

/// Some samples of a set, which reads them.
public protocol SampleSelection: SampleSource {
    var source: any SampleSource { get }
    /// Numbers of the samples in the set.
    var samples: [Int] { get }
}

extension SampleSelection {
    public var count: Int { samples.count }
    public var classes: [String]? { source.classes }
    public func label(_ index: Int) -> Int? { source.label(samples[index]) }
    public func place(_ index: Int) -> String { source.place(samples[index]) }
    public func read(_ index: Int, into image: inout Image, using memory: inout ReadMemory) throws(SampleError) {
        try source.read(samples[index], into: &image, using: &memory)
    }
    public var tokens: TokenGrid? { source.tokens }
    public func storedBytes(_ index: Int) -> Int? { source.storedBytes(samples[index]) }
    public func readTokens(_ index: Int, into ids: Indices) throws(SampleError) {
        try source.readTokens(samples[index], into: ids)
    }
}

/// A part of a set, in the order of the set.
public struct Subset: SampleSelection {
    public let source: any SampleSource
    /// Numbers of the samples in the set, ascending.
    public let samples: [Int]
    public let name: String
    public let fingerprint: Fingerprint

    /// - Parameter part: how the name of the set is continued.
    public init(_ source: any SampleSource, _ samples: [Int], part: String) {
        self.source = source
        self.samples = samples.sorted()
        name = "\(source.name), \(part)"
        let own = source.fingerprint
        fingerprint = Fingerprint(
            count: samples.count, classes: own.classes,
            hash: XXHash64.hash(words: [own.hash] + self.samples.map { UInt64($0) }))
    }
}

/// How much of each class a draw takes.
public enum ClassShare: Sendable, Equatable {
    case perClass(Int)
    /// Rounded, at least one sample; 0...1.
    case share(Double)
}

extension SampleSource {
    /// Draws a part class by class. A class is drawn as if it stood alone, and a smaller draw of the same seed is part
    /// of a larger one.
    /// - Parameters:
    ///   - avoiding: samples that must not be drawn.
    ///   - part: how the set's name is continued.
    public func drawing(
        _ amount: ClassShare, seed: UInt64, avoiding: Set<Int> = [], part: String
    ) throws(DataError) -> Subset {
        guard let classes, !classes.isEmpty else {
            throw DataError(name, found: "no labels", expected: "a labelled set to draw from class by class")
        }
        var members = [[Int]](repeating: [], count: classes.count)
        for index in 0..<count { if let label = label(index) { members[label].append(index) } }
        var drawn: [Int] = []
        for (number, samples) in members.enumerated() {
            let wanted: Int
            switch amount {
            case .perClass(let count): wanted = count
            case .share(let share): wanted = max(1, Int((share * Double(samples.count)).rounded()))
            }
            var random = RandomStream(seed: seed, purpose: .split, epoch: UInt32(number))
            let free = random.permutation(samples.count).lazy.map { samples[$0] }.filter { !avoiding.contains($0) }
            let chosen = Array(free.prefix(wanted))
            guard chosen.count == wanted else {
                throw DataError(
                    name, found: "\(chosen.count) free samples of class '\(classes[number])'",
                    expected: "\(wanted) for \(part)", hint: "take fewer of each class")
            }
            drawn += chosen
        }
        return Subset(self, drawn, part: part)
    }

    /// The rest of the set without some samples.
    public func leaving(_ samples: Set<Int>, part: String) -> Subset {
        Subset(self, (0..<count).filter { !samples.contains($0) }, part: part)
    }
}

extension SampleSource {
    /// At most `count` of the samples, drawn at random.
    public func atMost(_ count: Int?, seed: UInt64) -> any SampleSource {
        guard let count, count < self.count else { return self }
        var random = RandomStream(seed: seed, purpose: .split)
        return Subset(self, Array(random.permutation(self.count).prefix(count)), part: "\(count) at random")
    }
}
