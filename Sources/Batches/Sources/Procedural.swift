import Kernels
import Platform
public import Recipes

/// Images drawn from their number alone: ten classes of shapes and textures in random colours, places, sizes and
/// directions. It needs no file, has any size, and its samples are the same on every machine: only sums, products,
/// divisions and square roots enter a pixel.
public struct Procedural: DataSource {
    public static let kind = "procedural"

    public enum Figure: String, CaseIterable, Sendable {
        case disc, square, triangle, ring, cross
        case rows = "horizontal stripes"
        case columns = "vertical stripes"
        case diagonals = "diagonal stripes"
        case checker
        case blobs
    }

    public struct Settings: RecipeSection {
        public let count: Int
        public let size: Int
        public let first: Int
        public let seed: UInt64

        public static let meanings = [
            "count": "Images.",
            "size": "Height and width, pixels.",
            "first": "Number of the first image: sets that do not overlap share none.",
            "seed": "Another seed, other images.",
        ]

        public func check(_ here: Here) {
            here.requirePositive(["count": count])
            here.require((1...4096).contains(size), at: "size", "1 to 4096 pixels expected, found \(size)")
            here.require(first >= 0, at: "first", "0 or more expected, found \(first)")
        }
    }

    public let name: String
    public let count: Int
    public let classes: [String]? = Figure.allCases.map(\.rawValue)
    public let fingerprint: Fingerprint
    public let seed: UInt64
    public let size: Int
    private let first: Int

    public init(_ settings: Settings, _ context: SourceContext) throws(DataError) {
        try self.init(seed: settings.seed, count: settings.count, size: settings.size, first: settings.first)
    }

    /// - Parameters:
    ///   - size: height and width in pixels.
    ///   - first: number of the first sample, so that a test set shares no image with the training set.
    public init(seed: UInt64, count: Int, size: Int, first: Int = 0) throws(DataError) {
        guard count > 0, first >= 0, (1...4_096).contains(size) else {
            throw DataError(
                "procedural set", found: "\(count) images of \(size) × \(size) from number \(first)",
                expected: "at least one image, sizes 1 to 4096")
        }
        self.seed = seed
        self.count = count
        self.size = size
        self.first = first
        name = "procedural"
        let hash = XXHash64.hash(words: [seed, UInt64(size), UInt64(first), 1])
        fingerprint = Fingerprint(count: count, classes: Figure.allCases.count, hash: hash)
    }

    /// Classes take turns, so that any run of ten samples holds each once.
    public func label(_ index: Int) -> Int? { (first + index) % Figure.allCases.count }

    public func read(_ index: Int, into image: inout Image, using memory: inout ReadMemory) throws(SampleError) {
        precondition(index >= 0 && index < count, "sample outside the set")
        image.reshape(height: size, width: size)
        let number = first + index
        var random = RandomStream(seed: seed, purpose: .procedural, sample: UInt64(number))
        let scene = ProceduralScene(Figure.allCases[number % Figure.allCases.count], size: size, &random)
        scene.draw(into: image.bytes)
    }
}
