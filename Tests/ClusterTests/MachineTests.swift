import Cluster
import FoundationEssentials
import Platform
import Testing

@Suite struct MachineTests {
    @Test func `bridges of containers and virtual machines are strays`() {
        let names = ["br-1f2e", "docker0", "eth0", "ib0", "lo", "veth12", "virbr0"]
        #expect(strayInterfaces(names) == ["br-1f2e", "docker0", "veth12", "virbr0"])
    }

    @Test(
        arguments: [
            ("Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4", "4.1.4"), ("mpirun (Open MPI) 5.0.1\n", "5.0.1"),
            ("HYDRA build details", nil),
        ] as [(String, String?)])
    func `a version is read out of what programs say of themselves`(_ text: String, _ version: String?) {
        #expect(MPILibrary.version(in: text) == version)
    }

    @Test func `the loaded library has the version of its headers`() {
        #expect(MPILibrary.version(in: MPILibrary.text) == MPILibrary.builtWith)
    }

    @Test func `the limit of an outer memory group binds, in both versions of control groups`() throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("lacuna-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: root) }
        func write(_ text: String, _ path: String) throws {
            let folder = root + "/" + path.split(separator: "/").dropLast().joined(separator: "/")
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: URL(fileURLWithPath: root + "/" + path))
        }
        try write("max\n", "a/b/memory.max")
        try write("2097152\n", "a/memory.max")
        try write("1048576\n", "a/memory.current")
        try write("9223372036854771712\n", "memory/c/memory.limit_in_bytes")
        try write("3145728\n", "memory/memory.limit_in_bytes")
        try write("1024\n", "memory/memory.usage_in_bytes")
        let system = "MemTotal:    10240 kB\nMemAvailable:  5120 kB\n"
        let unified = Memory(system: system, groups: "0::/a/b\n", under: root)
        #expect(unified.limit == 2 << 20 && unified.available == 1 << 20 && unified.installed == 10 << 20)
        let old = Memory(system: system, groups: "4:memory:/c\n1:cpu:/\n", under: root)
        #expect(old.limit == 3 << 20 && old.available == (3 << 20) - 1024)
        #expect(Memory(system: system, groups: "", under: root).available == 5 << 20)
    }

    @Test func `a process has held memory, and its machine has some left`() {
        #expect(peakResidentBytes() > 1 << 20)
        let memory = Memory.detected()
        #expect(memory.available > 0 && memory.available <= memory.installed)
    }

    @Test func `a program says what it says, and one that is not there is not found`() {
        #expect(Program(named: "sh", in: "/usr/bin:/bin")?.output(["-c", "echo hello"]) == "hello\n")
        #expect(Program(named: "sh", in: "/usr/bin:/bin")?.output(["-c", "exit 3"]) == nil)
        #expect(Program(named: "no-such-program", in: "/usr/bin") == nil)
    }

    @Test func `the speed of a folder is measured without a trace`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lacuna-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(try DiskSpeed(measuring: folder).bytesPerSecond > 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
        #expect(throws: FileError.self) { try DiskSpeed(measuring: folder + "/missing") }
    }
}
