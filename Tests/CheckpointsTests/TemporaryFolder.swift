import FoundationEssentials
import Platform
import Testing

/// A folder of one test's own, removed with it.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/lacuna-\(UUID().uuidString)"
        try Folder(path).create()
    }

    deinit { try? removePath(path) }

    func path(of name: String) -> String { path + "/" + name }
}

func contents(_ path: String) throws -> [UInt8] { try InputFile.contents(path, limit: 1 << 30).array }

/// Without a flush to disk, which would be most of the time of the tests that write a thousand files.
func write(_ bytes: [UInt8], to path: String) throws { try Data(bytes).write(to: URL(filePath: path)) }
