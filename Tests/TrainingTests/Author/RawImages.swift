import Batches
import Kernels
import Platform
import Recipes

/// Images of one size in one file: red, green and blue of each pixel as bytes, nothing else.
struct RawImages: DataSource {
    static let kind = "raw"

    struct Settings: RecipeSection {
        let path: String
        let size: Int

        static let meanings = ["path": "The file.", "size": "Height and width of an image, pixels."]

        func check(_ here: Here) { here.requirePositive(["size": size]) }
    }

    let name: String
    let count: Int
    let classes: [String]? = nil
    let fingerprint: Fingerprint
    private let pixels: Bytes
    private let size: Int

    init(_ settings: Settings, _ context: SourceContext) throws(DataError) {
        (name, size) = (settings.path, settings.size)
        do { pixels = try MappedFile(name).bytes } catch { throw DataError(error) }
        count = pixels.count / (3 * size * size)
        guard count > 0, pixels.count % (3 * size * size) == 0 else {
            throw DataError(name, found: "\(pixels.count) bytes", expected: "whole images")
        }
        fingerprint = Fingerprint(count: count, classes: 0, hash: XXHash64.hash(pixels))
    }

    func label(_ index: Int) -> Int? { nil }

    func read(
        _ index: Int, into image: inout Image, using memory: inout ReadMemory
    ) throws(SampleError) {
        image.reshape(height: size, width: size)
        let bytes = image.bytes.count
        image.bytes.copy(from: pixels[index * bytes..<(index + 1) * bytes])
    }
}
