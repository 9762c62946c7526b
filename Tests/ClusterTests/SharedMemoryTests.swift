import Kernels
import Platform
import Testing

@Suite struct SharedMemoryTests {
    @Test func `what is written through one mapping is read through another, also without the name`() throws {
        let name = SharedMemory.freshName()
        let maker = try SharedMemory(creating: name, bytes: 8192)
        let other = try SharedMemory(opening: name, bytes: 8192)
        maker.removeName()
        maker.bytes[5000] = 7
        #expect(other.bytes[5000] == 7)
        #expect(throws: FileError.self) { try SharedMemory(opening: name, bytes: 8192) }
    }

    @Test func `a maker is gone when its lock is`() throws {
        let name = SharedMemory.freshName()
        var maker: SharedMemory? = try SharedMemory(creating: name, bytes: 4096)
        let other = try SharedMemory(opening: name, bytes: 4096)
        #expect(!other.makerIsGone)
        #expect(maker?.bytes.count == 4096)
        maker = nil
        #expect(other.makerIsGone)
    }

    @Test func `more memory than there is is refused at once`() {
        #expect(throws: FileError.self) { try SharedMemory(creating: SharedMemory.freshName(), bytes: 1 << 50) }
    }
}
