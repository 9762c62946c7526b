import Kernels
import Platform

/// Measurements of a set's images: their extents, their colours, the coding of their files.
public struct SetStatistics: Sendable, Equatable {
    /// Least, middle and most.
    public struct Spread: Sendable, Equatable {
        public let least, median, most: Int

        init(_ values: [Int]) {
            let sorted = values.sorted()
            (least, median, most) = (sorted.first ?? 0, sorted[sorted.count / 2], sorted.last ?? 0)
        }
    }

    /// Images that were read.
    public let images: Int
    public let bad: [SampleError]
    /// Pixels; nil where no image could be read.
    public let heights, widths: Spread?
    /// Statistics of red, green and blue on the scale 0...1: what a recipe's `images.normalize` wants. Each image weighs the same
    /// whatever its size, as it does once it is cut to the model's input.
    public let mean, std: [Double]
    /// JPEG files among them, and those of them that are progressive, which take longer to decode.
    public let jpegs, progressive: Int
}

extension SampleSource {
    /// Reads the samples and measures them. The numbers do not depend on the number of threads.
    /// - Parameter progress: called with samples done and samples in all, from any thread.
    public func statistics(
        of samples: [Int], threads: Int = 4, progress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }
    ) -> SetStatistics {
        let facts = Buffer<Double>(zeros: samples.count * ImageFacts.count)
        let found = Monitor([(number: Int, error: SampleError)]())
        let source = self
        sweep(samples.count, threads: threads, named: "stats", progress: progress) { number, image, memory in
            do throws(SampleError) {
                try source.read(samples[number], into: &image, using: &memory)
                ImageFacts(facts, number).measure(image, file: memory.file.bytes)
            } catch {
                found.update { $0.append((number, error)) }
            }
        }
        let bad = found.update { $0.sorted { $0.number < $1.number }.map(\.error) }
        return SetStatistics((0..<samples.count).map { ImageFacts(facts, $0) }.filter { $0.height > 0 }, bad: bad)
    }
}

extension SetStatistics {
    fileprivate init(_ facts: [ImageFacts], bad: [SampleError]) {
        images = facts.count
        self.bad = bad
        heights = facts.isEmpty ? nil : Spread(facts.map(\.height))
        widths = facts.isEmpty ? nil : Spread(facts.map(\.width))
        let count = Double(max(facts.count, 1))
        let mean = (0..<3).map { channel in facts.reduce(0) { $0 + $1.mean(channel) } / count }
        let squares = (0..<3).map { channel in facts.reduce(0) { $0 + $1.meanSquare(channel) } / count }
        self.mean = mean
        std = (0..<3).map { max(0, squares[$0] - mean[$0] * mean[$0]).squareRoot() }
        jpegs = facts.count { $0.kind != .other }
        progressive = facts.count { $0.kind == .progressive }
    }
}

/// The numbers of one image, at its place in a table that the threads fill.
private struct ImageFacts: Sendable {
    enum Kind: Int { case other, baseline, progressive }

    static let count = 9
    private let numbers: Buffer<Double>

    init(_ table: Buffer<Double>, _ number: Int) {
        numbers = table[number * Self.count..<(number + 1) * Self.count]
    }

    var height: Int { Int(numbers[0]) }
    var width: Int { Int(numbers[1]) }
    var kind: Kind { Kind(rawValue: Int(numbers[2])) ?? .other }
    func mean(_ channel: Int) -> Double { numbers[3 + channel] }
    func meanSquare(_ channel: Int) -> Double { numbers[6 + channel] }

    /// - Parameter file: the content of the image's file; empty for a set that has no files.
    func measure(_ image: borrowing Image, file: Bytes) {
        numbers[0] = Double(image.height)
        numbers[1] = Double(image.width)
        let header = FileKind(file) == .jpeg ? try? JPEGDecoder.header(of: file, path: "") : nil
        numbers[2] = Double((header.map { $0.isProgressive ? Kind.progressive : .baseline } ?? .other).rawValue)
        let bytes = image.bytes
        let pixels = Double(max(1, bytes.count / 3))
        for channel in 0..<3 {
            var (sum, squares) = (0, 0)
            for index in stride(from: channel, to: bytes.count, by: 3) {
                let value = Int(bytes[index])
                sum += value
                squares += value * value
            }
            numbers[3 + channel] = Double(sum) / pixels / 255
            numbers[6 + channel] = Double(squares) / pixels / (255 * 255)
        }
    }
}
