import Batches
import Kernels
import Platform
import Testing

private func image(_ source: any SampleSource, _ index: Int) throws -> [UInt8] {
    var image = Image()
    var memory = ReadMemory()
    try source.read(index, into: &image, using: &memory)
    return image.bytes.array
}

private func big(_ words: UInt32...) -> [UInt8] {
    words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * $0)) } }
}

@Suite struct IDXTests {
    private let folder = TemporaryFolder()
    private let names = ["a", "b", "c"]
    private func open() throws -> IDX {
        try IDX(images: folder.path + "/images", labels: folder.path + "/labels", name: "set", classes: names)
    }

    private func write(images: [UInt8], labels: [UInt8]) {
        folder.write("images", images)
        folder.write("labels", labels)
    }

    @Test func `images are grey and labels belong to them`() throws {
        write(images: big(0x803, 2, 1, 2) + [1, 2, 3, 4], labels: big(0x801, 2) + [2, 0])
        let set = try open()
        #expect(set.count == 2)
        #expect(try image(set, 0) == [1, 1, 1, 2, 2, 2])
        #expect(try image(set, 1) == [3, 3, 3, 4, 4, 4])
        #expect([set.label(0), set.label(1)] == [2, 0])
    }

    @Test(arguments: [
        (big(0x803, 2, 1, 2) + [1, 2, 3], big(0x801, 2) + [2, 0], "3 bytes after the header"),
        (big(0x803, 2, 1), big(0x801, 2) + [2, 0], "12 bytes"),
        (big(0x801, 2) + [2, 0], big(0x801, 2) + [2, 0], "10 bytes"),
        (big(0x802, 2, 1, 2) + [1, 2, 3, 4], big(0x801, 2) + [2, 0], "magic number 0x802"),
        (big(0x803, 2, 1, 2) + [1, 2, 3, 4], big(0x801, 3) + [2, 0, 1], "3 labels"),
        (big(0x803, 2, 1, 2) + [1, 2, 3, 4], big(0x801, 2) + [2, 3], "label 3 at sample 1"),
        (big(0x803, 0, 1, 2), big(0x801, 0), "no images"),
        ([0x1F, 0x8B] + big(0, 0, 0, 0), big(0x801, 0), "prepare"),
        (big(0x803, 0xFFFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF) + [1], big(0x801, 0), "1 bytes after the header"),
    ])
    func `a damaged pair of files is refused with what was found`(
        _ images: [UInt8], _ labels: [UInt8], _ text: String
    ) {
        write(images: images, labels: labels)
        let error = #expect(throws: DataError.self) { try open() }
        #expect(error?.description.contains(text) == true, "\(error?.description ?? "")")
    }

    @Test func `a packed or missing file names the script that unpacks it`() {
        folder.write("train-images-idx3-ubyte.gz", [0x1F, 0x8B])
        for path in ["/train-images-idx3-ubyte.gz", "/train-images-idx3-ubyte", "/none"] {
            let error = #expect(throws: DataError.self) {
                try IDX(images: folder.path + path, labels: folder.path + "/labels", name: "set", classes: names)
            }
            #expect(error?.hint.contains("prepare") == true)
        }
    }

    @Test func `another pixel is another fingerprint`() throws {
        write(images: big(0x803, 2, 1, 2) + [1, 2, 3, 4], labels: big(0x801, 2) + [2, 0])
        let before = try open().fingerprint
        write(images: big(0x803, 2, 1, 2) + [1, 2, 3, 5], labels: big(0x801, 2) + [2, 0])
        let after = try open().fingerprint
        #expect(before != after)
        let error = #expect(throws: DataError.self) { try after.check(resuming: before, place: "set") }
        #expect(error?.description.contains("2 samples") == true)
    }
}

@Suite struct CIFARTests {
    private let folder = TemporaryFolder()

    private func record(_ labels: [UInt8], red: UInt8, green: UInt8, blue: UInt8) -> [UInt8] {
        labels + [red, green, blue].flatMap { [UInt8](repeating: $0, count: 1024) }
    }

    @Test func `planes become pixels and the fine label counts`() throws {
        folder.write(
            "test.bin", record([1, 7], red: 10, green: 20, blue: 30) + record([0, 99], red: 1, green: 2, blue: 3))
        folder.write("fine_label_names.txt", Array((0..<100).map { "name\($0)\n" }.joined().utf8))
        let set = try CIFAR100(folder: folder.path, split: .test)
        #expect(set.count == 2)
        #expect([set.label(0), set.label(1)] == [7, 99])
        #expect(try image(set, 0).prefix(4) == [10, 20, 30, 10])
        #expect(try image(set, 1).suffix(3) == [1, 2, 3])
    }

    @Test func `five files make one training set`() throws {
        for part in 1...5 {
            let label = UInt8(part)
            folder.write("data_batch_\(part).bin", record([label], red: label, green: 0, blue: 0))
        }
        folder.write("batches.meta.txt", Array((0..<10).map { "name\($0)\n" }.joined().utf8))
        let set = try CIFAR10(folder: folder.path, split: .train)
        #expect((0..<5).map { set.label($0) } == [1, 2, 3, 4, 5])
        #expect(try image(set, 4).first == 5)
    }

    @Test func `a file cut short, a label out of range and a missing file are refused`() {
        folder.write("batches.meta.txt", Array((0..<10).map { "name\($0)\n" }.joined().utf8))
        #expect(throws: DataError.self) { try CIFAR10(folder: folder.path, split: .test) }
        folder.write("test_batch.bin", record([3], red: 0, green: 0, blue: 0).dropLast())
        #expect(throws: DataError.self) { try CIFAR10(folder: folder.path, split: .test) }
        folder.write("test_batch.bin", record([10], red: 0, green: 0, blue: 0))
        #expect(throws: DataError.self) { try CIFAR10(folder: folder.path, split: .test) }
    }
}

@Suite struct DigitsTests {
    private let path = Checkout.root + "/Datasets/digits/digits.safetensors"

    @Test func `the first 1,400 digits train and 397 test`() throws {
        let (train, test) = (try Digits(path, split: .train), try Digits(path, split: .test))
        #expect([train.count, test.count] == [1_400, 397])
        #expect(train.fingerprint != test.fingerprint)
        #expect(Set((0..<397).compactMap { test.label($0) }) == Set(0..<10))
        // Grey values 0 to 16 become 0 to 255.
        let values = try (0..<50).flatMap { try image(train, $0) }
        #expect(values.min() == 0 && values.max() == 255)
    }

    @Test func `a file of other tensors is refused`() {
        let folder = TemporaryFolder()
        let header = Array(#"{"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#.utf8)
        folder.write("other", [UInt8(header.count), 0, 0, 0, 0, 0, 0, 0] + header + [0, 0, 0, 0])
        #expect(throws: DataError.self) { try Digits(folder.path + "/other", split: .train) }
        folder.write("short", [255, 255, 255, 255, 255, 255, 255, 127, 1])
        #expect(throws: DataError.self) { try Digits(folder.path + "/short", split: .train) }
    }
}

@Suite struct ProceduralTests {
    @Test func `an image depends on its number alone`() throws {
        let set = try Procedural(seed: 1, count: 40, size: 16)
        let shifted = try Procedural(seed: 1, count: 20, size: 16, first: 20)
        #expect(try image(set, 27) == image(shifted, 7))
        #expect(set.label(27) == shifted.label(7))
        #expect(try image(set, 27) != image(Procedural(seed: 2, count: 40, size: 16), 27))
    }

    @Test func `images of one class differ and are no plain colour`() throws {
        let set = try Procedural(seed: 5, count: 200, size: 24)
        let images = try (0..<200).map { try image(set, $0) }
        #expect(Set(images).count == 200)
        for image in images { #expect(Set(image).count > 8) }
        #expect((0..<10).compactMap { set.label($0) } == Array(0..<10))
    }

    /// The bytes of one sample, so that a change of the drawing does not pass unseen: it would change every result
    /// that was obtained on this set.
    @Test func `the drawing stays what it is`() throws {
        let set = try Procedural(seed: 7, count: 10, size: 8)
        let hashes = try (0..<10).map { XXHash64.hash(try image(set, $0)) }
        #expect(XXHash64.hash(words: hashes) == 3_176_402_926_602_868_837)
    }

    @Test func `an empty set is refused`() {
        #expect(throws: DataError.self) { try Procedural(seed: 1, count: 0, size: 16) }
    }

    @Test func `class lists that differ are an error that names the first difference`() throws {
        let digits = try Digits(Checkout.root + "/Datasets/digits/digits.safetensors", split: .test)
        let shapes = try Procedural(seed: 1, count: 10, size: 8)
        try shapes.checkClasses(agreeWith: Procedural(seed: 2, count: 10, size: 8))
        let error = #expect(throws: DataError.self) { try shapes.checkClasses(agreeWith: digits) }
        #expect(error?.description.contains("class 0 is 'disc' in one and '0' in the other") == true)
    }
}
