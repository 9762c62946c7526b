public import Kernels
import Platform

/// A numbered set of images, read in any order by several threads at once.
public protocol SampleSource: Sendable {
    var name: String { get }
    var count: Int { get }
    /// The names of the classes in the order of their numbers; nil for a set without labels.
    var classes: [String]? { get }
    /// The identity of the data that a run remembers, so that it resumes on the same.
    var fingerprint: Fingerprint { get }
    /// The class of a sample; nil for a set without labels.
    func label(_ index: Int) -> Int?
    /// Where a sample comes from, for messages.
    func place(_ index: Int) -> String
    /// The image as 8-bit RGB; grey sets repeat their channel.
    func read(_ index: Int, into image: inout Image, using memory: inout ReadMemory) throws(SampleError)
    /// The form of records that are grids of token ids; nil for images.
    var tokens: TokenGrid? { get }
    /// The ids of a record, (n, n) row-major; sets of images have none.
    func readTokens(_ index: Int, into ids: Indices) throws(SampleError)
    /// Bytes that a sample takes where the set lies; nil where it is synthetic.
    func storedBytes(_ index: Int) -> Int?
    /// The set itself where its labels are wrong on purpose; nil for others.
    var noisyLabels: NoisyLabels? { get }
    /// Faults that are known without reading samples, and remarks on the set.
    func knownFaults() -> (bad: [String], remarks: [String])
}

/// The part of a set that is asked for.
public enum Split: String, CaseIterable, Decodable, Sendable {
    case train, test
}

/// Memory that a reading thread keeps between samples.
public struct ReadMemory: Sendable {
    var file = FileBuffer()
    /// Ids of a record of tokens.
    var ids = Indices(zeros: 0)

    public init() {}
}

extension SampleSource {
    public func storedBytes(_ index: Int) -> Int? { nil }

    public func knownFaults() -> (bad: [String], remarks: [String]) { ([], []) }

    /// Bytes of all samples where the set lies; nil where they are synthetic.
    public var totalStoredBytes: Int? {
        var sum = 0
        for index in 0..<count {
            guard let bytes = storedBytes(index) else { return nil }
            sum += bytes
        }
        return sum
    }

    public var tokens: TokenGrid? { nil }

    public var noisyLabels: NoisyLabels? { nil }

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

/// The identity of a data set: a run that resumes on another set would silently be another run.
public struct Fingerprint: Hashable, Codable, Sendable, CustomStringConvertible {
    public let count: Int
    /// 0 for a set without labels.
    public let classes: Int
    /// Over content, order and labels.
    public let hash: UInt64

    public init(count: Int, classes: Int, hash: UInt64) {
        self.count = count
        self.classes = classes
        self.hash = hash
    }

    public var description: String { "\(count) samples, \(classes) classes, fingerprint \(String(hash, radix: 16))" }

    /// - Parameter saved: of the set that the run was started on.
    public func check(resuming saved: Fingerprint, place: String) throws(DataError) {
        guard self != saved else { return }
        let reason =
            if count != saved.count {
                "the number of samples changed"
            } else if classes != saved.classes {
                "the number of classes changed"
            } else {
                "samples were changed, renamed or put in another order"
            }
        throw DataError(
            place, found: "\(self)", expected: "\(saved)",
            hint: "\(reason) since the run started; restore the data or start a new run")
    }
}
