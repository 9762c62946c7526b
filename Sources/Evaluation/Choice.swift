public import Batches
public import Kernels

/// A few samples of a set, chosen at random and the same for the same seed: neighbours in a set are often of one class.
/// A smaller choice is the beginning of a larger one.
public struct Choice: SampleSource {
    public let source: any SampleSource
    /// Numbers of the samples in the set.
    public let samples: [Int]

    public init(of count: Int, from source: any SampleSource, seed: UInt64) {
        var random = RandomStream(seed: seed, purpose: .order)
        samples = Array(random.permutation(source.count).prefix(count))
        self.source = source
    }

    public var name: String { source.name }
    public var count: Int { samples.count }
    public var classes: [String]? { source.classes }
    public var fingerprint: Fingerprint { source.fingerprint }
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
