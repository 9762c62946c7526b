import Batches
import Kernels
import Platform
import Testing

struct DecodeFixture: Decodable, Sendable {
    struct File: Decodable, Sendable {
        let file, key: String
        let height, width: Int
    }
    let files: [File]
}

@Test(arguments: ImageFixture<DecodeFixture>.all(in: "augmentation"))
func `decoded JPEG files equal the reference byte for byte`(_ fixture: ImageFixture<DecodeFixture>) throws {
    var image = Image()
    for file in fixture.config.files {
        let path = fixture.folder + "/" + file.file
        try image.decode(MappedFile(path).bytes, path: path)
        #expect(image.height == file.height && image.width == file.width)
        expectEqual(image, try fixture.tensors.tensor(file.key), file.file)
    }
}
