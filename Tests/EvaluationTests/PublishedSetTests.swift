import Batches
import Evaluation
import Kernels
import Testing

@Suite struct PublishedSetTests {
    @Test func `synonyms beside the codebook come with an imported set`() throws {
        let folder = try Scratch()
        // Two records of one id each, out of six codes.
        try folder.write("x-token.data.bin", [4, 5])
        let starts = Buffer<Int64>([0, 1, 2]), rows = Floats([1, 2, 3, 4, 5, 6])
        try folder.write("x-token.index.npy", NumPyFile.file("<i8", [3], starts.viewed(as: UInt8.self)).array)
        try folder.write("x-codebook.npy", NumPyFile.file("<f4", [6, 1], rows.viewed(as: UInt8.self)).array)
        func imported(_ name: String) throws -> TokenSet {
            try PublishedTokens(folder.path + "/x-token.data.bin", labels: nil).tokenSet(
                codebook: folder.path + "/x-codebook.npy", classes: nil, to: folder.path + "/\(name).safetensors")
        }
        let plain = try imported("plain")
        #expect(plain.classes == nil && plain.grid.synonyms.array.prefix(5) == [1, 2, 3, 4, 5])
        let lists = (0..<6).map { "\"\($0)\": [\($0), 3, 3, 3, 3, 1]" }
        try folder.write("x-synonyms.json", Array("{\(lists.joined(separator: ", "))}".utf8))
        #expect(try imported("own").grid.synonyms.array.prefix(6) == [0, 3, 3, 3, 3, 1])
        try folder.write("x-synonyms.json", Array(#"{"0": [1, 2, 3, 4, 5]}"#.utf8))
        let error = #expect(throws: DataError.self) { try imported("foreign") }
        #expect(error?.place == folder.path + "/x-synonyms.json")
    }
}
