import Batches
import Glibc
import Kernels
import Platform
import Testing

@Suite struct IndexTests {
    private let folder = TemporaryFolder()
    private let jpeg: [UInt8]

    init() throws { jpeg = try Checkout.jpeg() }

    private func names(_ manifest: Manifest) -> [[UInt8]] { (0..<manifest.count).map { manifest.path($0).array } }
    private func open(_ tolerance: Tolerance = Tolerance()) throws -> ImageFolder {
        try ImageFolder(folder.path, manifest: Manifest.build(folder.path), tolerance: tolerance)
    }

    private func read(_ source: ImageFolder, _ index: Int) throws -> [Int] {
        var image = Image()
        var memory = ReadMemory()
        try source.read(index, into: &image, using: &memory)
        return [image.height, image.width]
    }

    @Test func `classes follow the bytes of their names and files those of theirs`() throws {
        for name in ["b/2.jpg", "b/10.JPEG", "B/1.jpg", "a/deep/er/1.jpg", "a/0.jpg"] { folder.write(name, jpeg) }
        folder.write("a/notes.txt", [65])
        folder.write("a/._0.jpg", [0])
        let manifest = try Manifest.build(folder.path)
        #expect(manifest.classes == ["B", "a", "b"])
        #expect(
            names(manifest).map { String(decoding: $0, as: UTF8.self) } == [
                "B/1.jpg", "a/0.jpg", "a/deep/er/1.jpg", "b/10.JPEG", "b/2.jpg",
            ])
        #expect((0..<5).map { manifest.label($0) } == [0, 1, 1, 2, 2])
        #expect(manifest.classCounts == [1, 2, 2])
        #expect(manifest.ignored == 2)
        let extents = try #require(manifest.extents(0))
        #expect([extents.height, extents.width] == [9, 7] || [extents.height, extents.width] == [7, 9])
    }

    @Test func `an index read from its file equals the one that was built`() throws {
        for name in ["a/1.jpg", "b/2.jpg", "b/3.jpg"] { folder.write(name, jpeg) }
        folder.write("b/4.jpg", [])
        let index = TemporaryFolder()
        let built = try Manifest.build(folder.path)
        try built.write(to: index.path + "/index")
        let read = try Manifest(index.path + "/index")
        #expect(names(read) == names(built))
        #expect(read.fingerprint == built.fingerprint)
        #expect(read.classes == built.classes)
        #expect(read.bad == built.bad)
        #expect((0..<3).map { read.checksum($0) } == (0..<3).map { _ in XXHash64.hash(jpeg) })
        #expect((0..<3).map { read.sizeBytes($0) } == (0..<3).map { _ in jpeg.count })
    }

    @Test func `an index with any byte changed, or cut short, is refused`() throws {
        for name in ["a/1.jpg", "b/2.jpg"] { folder.write(name, jpeg) }
        let index = TemporaryFolder()
        try Manifest.build(folder.path).write(to: index.path + "/index")
        let bytes = try MappedFile(index.path + "/index").bytes.array
        for at in bytes.indices {
            var damaged = bytes
            damaged[at] ^= 0x10
            index.write("damaged", damaged)
            #expect(throws: DataError.self, "byte \(at)") { try Manifest(index.path + "/damaged") }
        }
        for size in stride(from: 0, to: bytes.count, by: 7) {
            index.write("short", Array(bytes[..<size]))
            #expect(throws: DataError.self, "size \(size)") { try Manifest(index.path + "/short") }
        }
    }

    @Test func `hostile names are kept byte for byte and can be read`() throws {
        let deep = Array(repeating: String(repeating: "d", count: 200), count: 25).joined(separator: "/")
        let hostile: [[UInt8]] = [
            Array("a/with space.jpg".utf8), Array("a/new\nline.jpg".utf8), Array("a/😀.jpg".utf8),
            Array("a/".utf8) + [0xFF, 0xFE, 0x80] + Array(".jpg".utf8), Array("a/Case.jpg".utf8),
            Array("a/case.jpg".utf8), Array("a/back\\slash.jpg".utf8), Array("a/-rf *.jpg".utf8),
            Array("a/\(String(repeating: "x", count: 251)).jpg".utf8),
        ]
        for name in hostile { folder.write(name, jpeg) }
        // More than the system takes in one call: walked and read in pieces.
        makeDeepFile("a/" + deep, "1.jpg")
        let source = try open()
        #expect(source.count == hostile.count + 1)
        #expect(Set(names(source.manifest)) == Set(hostile + [Array("a/\(deep)/1.jpg".utf8)]))
        for index in 0..<source.count { #expect(try read(source, index).sorted() == [7, 9]) }
        let printed = (0..<source.count).map { source.place($0) }
        #expect(printed.contains { $0.hasSuffix("a/\\xff\\xfe\\x80.jpg") })
        #expect(printed.allSatisfy { !$0.contains("\n") })
        removeDeepFile("a/" + deep, "1.jpg")
    }

    @Test func `what is no image is bad with its reason, and nothing waits`() throws {
        folder.write("a/good.jpg", jpeg)
        folder.write("a/zero.jpg", [])
        folder.makeFolder("a/folder.jpg")
        folder.makeFIFO("a/fifo.jpg")
        folder.link("a/dangling.jpg", to: "nowhere")
        folder.link("a/circle.jpg", to: "circle.jpg")
        folder.link("a/linked.jpg", to: "good.jpg")
        folder.link("a/fifolink.jpg", to: "fifo.jpg")
        folder.link("a/up.jpg", to: "..")
        folder.link("a/up", to: "..")
        folder.write("a/page.jpg", Array("<!DOCTYPE html><html>".utf8))
        folder.write("a/gif.jpg", Array("GIF89a....".utf8))
        folder.write("a/web.jpg", Array("RIFF0000WEBPVP8 ".utf8))
        folder.write("a/noise.jpg", [0, 1, 2, 3, 4, 5])
        folder.write("a/cut.jpg", Array(jpeg[..<24]))
        let manifest = try Manifest.build(folder.path)
        #expect(names(manifest) == [Array("a/good.jpg".utf8), Array("a/linked.jpg".utf8)])
        let faults = Dictionary(uniqueKeysWithValues: manifest.bad.map { ($0.path, $0.fault) })
        #expect(
            faults == [
                "a/zero.jpg": .empty, "a/folder.jpg": .folder, "a/fifo.jpg": .special, "a/dangling.jpg": .dangling,
                "a/circle.jpg": .dangling, "a/fifolink.jpg": .special, "a/up.jpg": .folder, "a/page.jpg": .text,
                "a/gif.jpg": .gif, "a/web.jpg": .webp, "a/noise.jpg": .unknown, "a/cut.jpg": .brokenHeader,
            ])
        #expect(manifest.summary.contains { $0.contains("12 bad files") })
    }

    @Test func `a PNG file is an image unless its name says JPEG`() throws {
        // One grey pixel: signature, header, one row, end.
        let png: [UInt8] = [
            0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 0x0D, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0,
            1, 8, 0, 0, 0, 0, 0x3A, 0x7E, 0x9B, 0x55, 0, 0, 0, 0x0A, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9C, 0x63, 0x68,
            0x00, 0x00, 0x00, 0x82, 0x00, 0x81, 0x77, 0xCD, 0x72, 0xB6,
            0, 0, 0, 0, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82,
        ]
        folder.write("a/1.png", png)
        folder.write("a/2.jpg", png)
        folder.write("a/3.png", Array(png[..<40]))
        let manifest = try Manifest.build(folder.path)
        #expect(names(manifest) == [Array("a/1.png".utf8)])
        #expect(manifest.extents(0).map { [$0.height, $0.width] } == [1, 1])
        #expect(manifest.bad.map(\.fault) == [.png, .brokenHeader])
    }

    @Test(.enabled(if: geteuid() != 0, "the superuser may read everything"))
    func `a file without permission is bad`() throws {
        folder.write("a/1.jpg", jpeg)
        folder.write("a/2.jpg", jpeg)
        chmod(folder.path + "/a/2.jpg", 0)
        #expect(try Manifest.build(folder.path).bad.map(\.fault) == [.unreadable])
    }

    @Test func `a root without folders is a set without labels`() throws {
        folder.write("2.jpg", jpeg)
        folder.write("1.jpg", jpeg)
        let source = try open()
        #expect(source.classes == nil)
        #expect(source.label(0) == nil)
        #expect(names(source.manifest) == [Array("1.jpg".utf8), Array("2.jpg".utf8)])
    }

    @Test func `no image, an empty class and too many bad files are errors`() throws {
        #expect(throws: DataError.self) { try open() }
        folder.write("a/1.jpg", jpeg)
        folder.makeFolder("b")
        let error = #expect(throws: DataError.self) { try open() }
        #expect(error?.description.contains("'b'") == true)
        folder.write("b/1.jpg", jpeg)
        for name in 2..<14 { folder.write("b/\(name).jpg", []) }
        let many = #expect(throws: DataError.self) { try open() }
        #expect(many?.description.contains("12 bad samples of 14") == true)
        #expect(try open(Tolerance(share: 0.9)).count == 2)
    }

    @Test func `a link to a class folder is followed, a circle of links ends`() throws {
        folder.write("elsewhere/1.jpg", jpeg)
        let root = TemporaryFolder()
        root.link("a", to: folder.path + "/elsewhere")
        root.link("b", to: root.path)
        let manifest = try Manifest.build(root.path)
        #expect(manifest.classes == ["a", "b"])
        #expect(names(manifest) == [Array("a/1.jpg".utf8)])
    }

    @Test func `a file changed or deleted after indexing is a bad sample`() throws {
        for name in 1...4 { folder.write("a/\(name).jpg", jpeg) }
        let source = try open()
        folder.write("a/1.jpg", jpeg + [0])
        var flipped = jpeg
        flipped[flipped.count - 4] ^= 1
        folder.write("a/2.jpg", flipped)
        folder.delete("a/3.jpg")
        folder.write("a/5.jpg", jpeg)
        let bad = source.verify(threads: 2)
        #expect(bad.map { $0.path.suffix(7) } == ["a/1.jpg", "a/2.jpg", "a/3.jpg"])
        #expect(bad[0].reason.contains("\(jpeg.count + 1) bytes, \(jpeg.count) when"))
        #expect(bad[1].reason.contains("changed since the index"))
        #expect(bad[2].reason.contains("No such file"))
        let changes = try source.manifest.changes(in: folder.path)
        #expect(changes.added == ["a/5.jpg"] && changes.missing == ["a/3.jpg"])
    }

    @Test func `renamed, added and missing files change the fingerprint; bad ones do not`() throws {
        folder.write("a/1.jpg", jpeg)
        folder.write("a/2.jpg", jpeg)
        let before = try Manifest.build(folder.path).fingerprint
        folder.write("a/zero.jpg", [])
        #expect(try Manifest.build(folder.path).fingerprint == before)
        folder.write("a/3.jpg", jpeg)
        let added = try Manifest.build(folder.path).fingerprint
        folder.delete("a/3.jpg")
        folder.delete("a/2.jpg")
        folder.write("a/3.jpg", jpeg)
        let renamed = try Manifest.build(folder.path).fingerprint
        #expect(Set([before, added, renamed]).count == 3)
        let error = #expect(throws: DataError.self) { try added.check(resuming: before, place: "set") }
        #expect(error?.description.contains("3 samples") == true && error?.description.contains("2 samples") == true)
    }

    @Test func `a file that a server loses for a moment is read again`() throws {
        let root = try OpenFolder(folder.path)
        let (path, jpeg) = (folder.path, jpeg)
        let later = Thread("late writer") {
            poll(nil, 0, 30)
            guard let file = fopen(path + "/.late", "wb") else { return }
            fwrite(jpeg, 1, jpeg.count, file)
            fclose(file)
            rename(path + "/.late", path + "/late.jpg")
        }
        var file = FileBuffer()
        try file.read(Bytes(Array("late.jpg".utf8)), in: root)
        #expect(file.bytes.array == jpeg)
        later.join()
        let error = #expect(throws: FileError.self) {
            try file.read(Bytes(Array("never.jpg".utf8)), in: root, retries: 1)
        }
        #expect(error?.isMissing == true)
    }

    private func makeDeepFile(_ folders: String, _ name: String) {
        var at = Glibc.open(folder.path, O_RDONLY | O_DIRECTORY)
        for part in folders.split(separator: "/").map(String.init) {
            mkdirat(at, part, 0o755)
            let next = openat(at, part, O_RDONLY | O_DIRECTORY)
            close(at)
            at = next
        }
        let file = openat(at, name, O_WRONLY | O_CREAT, 0o644)
        write(file, jpeg, jpeg.count)
        close(file)
        close(at)
    }

    private func removeDeepFile(_ folders: String, _ name: String) {
        var open = [Glibc.open(folder.path, O_RDONLY | O_DIRECTORY)]
        let parts = folders.split(separator: "/").map(String.init)
        for part in parts { open.append(openat(open[open.count - 1], part, O_RDONLY | O_DIRECTORY)) }
        unlinkat(open[parts.count], name, 0)
        for (depth, part) in parts.enumerated().reversed() where depth > 0 { unlinkat(open[depth], part, AT_REMOVEDIR) }
        for descriptor in open { close(descriptor) }
    }
}
