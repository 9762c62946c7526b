public import Kernels
import Platform
public import Recipes

/// A set under noisy labels. The clean ones are kept for measuring; nothing that learns or chooses sees them.
public struct NoisyLabels: SampleSource {
    public let source: any SampleSource
    public let name: String
    public let fingerprint: Fingerprint
    /// One a sample.
    public let noisy, clean: [Int]

    /// - Parameter part: another split of the same set, other draws.
    public init(
        _ source: any SampleSource, _ noise: LabelNoise, seed: UInt64, part: UInt32 = 0
    ) throws(DataError) {
        guard let classes = source.classes?.count, classes > 1 else {
            throw DataError(source.name, found: "no labels", expected: "a labelled set to put label noise into")
        }
        try noise.check(classes: classes, source.name)
        var clean: [Int] = []
        for index in 0..<source.count {
            guard let label = source.label(index) else {
                throw DataError(source.place(index), found: "no label", expected: "one for each sample")
            }
            clean.append(label)
        }
        self.source = source
        self.clean = clean
        noisy = noise.noisy(clean, classes: classes, seed: seed, part: part)
        let wrong = zip(clean, noisy).count { $0 != $1 }
        let share = (1000 * Double(wrong) / Double(max(clean.count, 1))).rounded() / 10
        name = "\(source.name), \(share) % wrong labels"
        let own = source.fingerprint
        fingerprint = Fingerprint(
            count: own.count, classes: own.classes, hash: XXHash64.hash(words: [own.hash] + noisy.map { UInt64($0) }))
    }

    public var count: Int { source.count }
    public var classes: [String]? { source.classes }
    public func label(_ index: Int) -> Int? { noisy[index] }
    public func place(_ index: Int) -> String { source.place(index) }
    public func read(_ index: Int, into image: inout Image, using memory: inout ReadMemory) throws(SampleError) {
        try source.read(index, into: &image, using: &memory)
    }
    public var noisyLabels: NoisyLabels? { self }
    public var tokens: TokenGrid? { source.tokens }
    public func storedBytes(_ index: Int) -> Int? { source.storedBytes(index) }
    public func readTokens(_ index: Int, into ids: Indices) throws(SampleError) {
        try source.readTokens(index, into: ids)
    }
}

extension SampleSource {
    /// The set under a recipe's label noise, if it has any.
    /// - Parameters:
    ///   - similar: the classes taken for one another where the recipe names none.
    ///   - part: another split of the same set, other draws.
    public func noisy(
        _ settings: Recipe.LabelNoise?, similar: SimilarClasses?, part: UInt32
    ) throws(DataError) -> any SampleSource {
        guard let settings else { return self }
        return try NoisyLabels(self, LabelNoise(settings, similar: similar), seed: settings.seed, part: part)
    }
}

extension LabelNoise {
    fileprivate func check(classes: Int, _ place: String) throws(DataError) {
        switch self {
        case .symmetric: return
        case .flips(_, let flips, _):
            guard let wrong = flips.flatMap({ [$0.from, $0.to] }).first(where: { !(0..<classes).contains($0) }) else {
                return
            }
            throw DataError(
                place, found: "class \(wrong) in data.label_noise.flips", expected: "0 to \(classes - 1)",
                hint: "classes are counted from 0, in the order of their names")
        case .blocks(_, let size):
            guard classes % size != 0 else { return }
            throw DataError(
                place, found: "\(classes) classes", expected: "a multiple of data.label_noise.blocks, \(size)")
        }
    }
}
