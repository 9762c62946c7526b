import Batches
import FoundationEssentials
import Glibc
import Kernels
import Platform

/// A folder for one test, removed with it.
final class TemporaryFolder {
    let path: String

    init() {
        var template = Array((FileManager.default.temporaryDirectory.path + "/lacuna-test-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { preconditionFailure("no temporary folder") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { remove([]) }

    /// `name` is relative; its folders are made.
    func write(_ name: [UInt8], _ content: [UInt8]) {
        var at = full([])
        for part in name.split(separator: UInt8(ascii: "/")).dropLast() {
            at += [UInt8(ascii: "/")] + part
            _ = withPath(at) { mkdir($0, 0o755) }
        }
        let file = withPath(full(name)) { fopen($0, "wb") }
        guard let file else { preconditionFailure("cannot write \(readableName(name))") }
        fwrite(content, 1, content.count, file)
        fclose(file)
    }

    func write(_ name: String, _ content: [UInt8]) { write(Array(name.utf8), content) }
    func makeFolder(_ name: String) { mkdir(path + "/" + name, 0o755) }
    func makeFIFO(_ name: String) { mkfifo(path + "/" + name, 0o644) }
    func link(_ name: String, to target: String) { symlink(target, path + "/" + name) }
    func delete(_ name: String) { unlink(path + "/" + name) }

    private func full(_ name: [UInt8]) -> [UInt8] {
        Array(path.utf8) + (name.isEmpty ? [] : [UInt8(ascii: "/")] + name)
    }

    private func withPath<Result>(_ bytes: [UInt8], _ body: (UnsafePointer<CChar>) -> Result) -> Result {
        (bytes.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { body($0.baseAddress!) }
    }

    private func remove(_ name: [UInt8]) {
        withPath(full(name)) { path in
            guard let stream = opendir(path) else { return }
            while let entry = readdir(stream) {
                let child = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
                if child == [46] || child == [46, 46] { continue }
                let inner = name.isEmpty ? child : name + [UInt8(ascii: "/")] + child
                if Int32(entry.pointee.d_type) == Int32(DT_DIR) {
                    remove(inner)
                } else {
                    _ = withPath(full(inner)) { unlink($0) }
                }
            }
            closedir(stream)
            rmdir(path)
        }
    }
}

/// Files of the checkout, found from this file's place in it.
enum Checkout {
    static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        .joined(separator: "/")

    /// An image of 7 × 9 pixels or another of the JPEG fixtures.
    static func jpeg(_ name: String = "tiny_7x9.jpg") throws -> [UInt8] {
        try MappedFile("\(root)/Tests/Golden/Fixtures/augmentation/jpeg/\(name)").bytes.array
    }
}

extension Normalisation {
    static let imageNet = Normalisation(mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225])
}

/// A slow disk or step.
func waste(seconds: Double) { usleep(UInt32(seconds * 1e6)) }
