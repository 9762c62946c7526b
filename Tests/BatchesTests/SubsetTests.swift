import Batches
import Kernels
import Testing

@Suite struct SubsetTests {
    /// Three classes of 40, 20 and 10 samples, one after the other in turn.
    private struct Labels: SampleSource {
        let name = "labels"
        let classes: [String]? = ["many", "some", "few"]
        let fingerprint = Fingerprint(count: 70, classes: 3, hash: 7)
        let labels = (0..<70).map { $0 < 30 ? $0 % 3 : $0 < 50 ? $0 % 2 : 0 }
        var count: Int { labels.count }
        func label(_ index: Int) -> Int? { labels[index] }
        func read(_ index: Int, into image: inout Image, using memory: inout ReadMemory) throws(SampleError) {}
    }

    /// Records of 2 x 2 ids, the number of the record four times.
    private struct Tokens: SampleSource {
        let name = "tokens"
        let count = 4
        let classes: [String]? = ["even", "odd"]
        let fingerprint = Fingerprint(count: 4, classes: 2, hash: 7)
        let tokens: TokenGrid? = TokenGrid(side: 2, Codebook(Floats([1, 2, 3, 4]), width: 1, metric: .cosine))
        func label(_ index: Int) -> Int? { index % 2 }
        func storedBytes(_ index: Int) -> Int? { 3 }
        func readTokens(_ index: Int, into ids: Indices) throws(SampleError) { ids.fill(Int32(index)) }
        func read(_ index: Int, into image: inout Image, using memory: inout ReadMemory) throws(SampleError) {}
    }

    private let set = Labels()

    @Test func `a draw takes as many of each class and keeps the order of the set`() throws {
        let part = try set.drawing(.perClass(6), seed: 1, part: "6 of each class")
        #expect(part.classCounts == [6, 6, 6] && part.count == 18)
        #expect(part.samples == part.samples.sorted() && Set(part.samples).count == 18)
        #expect(part.name == "labels, 6 of each class" && part.label(3) == set.label(part.samples[3]))
        #expect(try set.drawing(.perClass(6), seed: 1, part: "").samples == part.samples)
        #expect(try set.drawing(.perClass(6), seed: 2, part: "").samples != part.samples)
    }

    @Test func `a share takes the same share of each class, at least one sample`() throws {
        #expect(try set.drawing(.share(0.25), seed: 0, part: "").classCounts == [10, 5, 3])
        #expect(try set.drawing(.share(0.001), seed: 0, part: "").classCounts == [1, 1, 1])
    }

    @Test func `a smaller draw of a seed is part of a larger one`() throws {
        let large = Set(try set.drawing(.perClass(8), seed: 5, part: "").samples)
        #expect(large.isSuperset(of: try set.drawing(.perClass(3), seed: 5, part: "").samples))
    }

    @Test func `a draw can keep away from another one, and a rest from both`() throws {
        let first = try set.drawing(.perClass(5), seed: 5, part: "")
        let second = try set.drawing(.perClass(5), seed: 5, avoiding: Set(first.samples), part: "")
        #expect(Set(first.samples).isDisjoint(with: second.samples) && second.classCounts == [5, 5, 5])
        let rest = set.leaving(Set(first.samples), part: "the rest")
        #expect(rest.count == 55 && Set(rest.samples).isDisjoint(with: first.samples))
    }

    @Test func `parts have fingerprints of their own`() throws {
        let parts = try [0, 1].map { try set.drawing(.perClass(5), seed: $0, part: "") }
        #expect(parts[0].fingerprint != parts[1].fingerprint && parts[0].fingerprint != set.fingerprint)
        #expect(parts[0].fingerprint.count == 15 && parts[0].fingerprint.classes == 3)
    }

    /// Under label noise a token set was taken for one of images.
    @Test func `a set under noisy labels holds what it held`() throws {
        let noisy = try NoisyLabels(Tokens(), .symmetric(rate: 1), seed: 0)
        let ids = Indices(zeros: 4)
        try noisy.readTokens(3, into: ids)
        #expect(noisy.tokens?.side == 2 && ids.array == [3, 3, 3, 3] && noisy.totalStoredBytes == 12)
    }

    @Test func `more than a class has is an error that names the class`() {
        let error = #expect(throws: DataError.self) { try set.drawing(.perClass(11), seed: 0, part: "a subset") }
        #expect("\(error.map { "\($0)" } ?? "")".contains("10 free samples of class 'few', expected 11"))
    }
}
