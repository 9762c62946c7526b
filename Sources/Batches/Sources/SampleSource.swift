public import Kernels
import Platform

/// A numbered set of images, read in any order by several threads at once.
public protocol SampleSource: Sendable {
    var name: String { get }
    var count: Int { get }
    /// The names of the classes in the order of their numbers; nil for a set without labels.
    var classes: [String]? { get }
    /// What a run remembers of its data, so that it resumes on the same.
    var fingerprint: Fingerprint { get }
    /// The class of a sample; nil for a set without labels.
    func label(_ index: Int) -> Int?
    /// Where a sample comes from, for messages.
    func place(_ index: Int) -> String
    /// The image as 8-bit RGB; grey sets repeat their channel.
    func read(_ index: Int, into image: inout Image, using memory: inout ReadMemory) throws(SampleError)
    /// What the records are where they are no images but grids of token ids; nil for images.
    var tokens: TokenGrid? { get }
    /// The ids of a record, (n, n) row-major; sets of images have none.
    func readTokens(_ index: Int, into ids: Indices) throws(SampleError)
    /// Bytes that a sample takes where the set lies; nil where it is made up.
    func storedBytes(_ index: Int) -> Int?
}

/// The part of a set that is asked for.
public enum Split: String, Sendable, CaseIterable {
    case train, test
}

/// What one reading thread keeps between samples.
public struct ReadMemory: Sendable {
    var file = FileBuffer()
    /// Of a record of tokens.
    var ids = Indices(zeros: 0)

    public init() {}
}

extension SampleSource {
    public func storedBytes(_ index: Int) -> Int? { nil }

    /// Bytes of all samples where the set lies; nil where they are made up.
    public var totalStoredBytes: Int? {
        var sum = 0
        for index in 0..<count {
            guard let bytes = storedBytes(index) else { return nil }
            sum += bytes
        }
        return sum
    }

    public var tokens: TokenGrid? { nil }

    public func readTokens(_ index: Int, into ids: Indices) throws(SampleError) {
        throw SampleError(path: name, reason: "holds images, expected tokens")
    }

    public func place(_ index: Int) -> String { "\(name), sample \(index)" }

    /// Samples of each class, in the order of the class numbers; empty without labels.
    public var classCounts: [Int] {
        var counts = [Int](repeating: 0, count: classes?.count ?? 0)
        if !counts.isEmpty { for index in 0..<count { if let label = label(index) { counts[label] += 1 } } }
        return counts
    }

    /// A class number means the same in both sets, or it is an error: numbers follow the sorted names, so that one
    /// missing folder would shift all that come after it.
    public func checkClasses(agreeWith other: any SampleSource) throws(DataError) {
        guard let mine = classes, let theirs = other.classes else { return }
        guard mine != theirs else { return }
        let place = "\(name) and \(other.name)"
        for number in 0..<max(mine.count, theirs.count) {
            let pair = [mine, theirs].map { number < $0.count ? "'\($0[number])'" : "none" }
            guard pair[0] != pair[1] else { continue }
            throw DataError(
                place,
                found: "class \(number) is \(pair[0]) in one and \(pair[1]) in the other "
                    + "(\(mine.count) and \(theirs.count) classes)",
                expected: "the same classes in the same order")
        }
    }
}
