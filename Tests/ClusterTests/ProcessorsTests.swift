import FoundationEssentials
import Platform
import Testing

@Suite struct ProcessorsTests {
    @Test func `the tighter of affinity and quota counts, and one thread always runs`() {
        #expect(Processors(allowed: 8, quota: nil).usable == 8)
        #expect(Processors(allowed: 8, quota: 2.5).usable == 2)
        #expect(Processors(allowed: 2, quota: 6).usable == 2)
        #expect(Processors(allowed: 4, quota: 0.5).usable == 1)
    }

    @Test func `this machine has at least one processor and a name`() {
        #expect(Processors.detected().allowed >= 1)
        #expect(!ProcessIdentity.hostName.isEmpty)
    }

    @Test(arguments: [("0-3,8", 5), (" 1", 1), ("", 0), ("0-127", 128)])
    func `a processor list counts single numbers and ranges`(_ list: String, _ count: Int) {
        #expect(Processors.count(inList: list) == count)
    }

    @Test(arguments: [("150000 100000\n", 1.5), ("max 100000\n", nil), ("", nil)] as [(String, Double?)])
    func `a quota is processor time over period`(_ text: String, _ quota: Double?) {
        #expect(Processors.unifiedLimit(text) == quota)
    }

    @Test func `the limit of an outer group binds, in both versions of control groups`() throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "lacuna-groups-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: root) }
        for folder in ["/job/rank", "/cpu,cpuacct/batch"] {
            try FileManager.default.createDirectory(atPath: root + folder, withIntermediateDirectories: true)
        }
        func write(_ text: String, _ path: String) throws {
            try text.write(toFile: root + path, atomically: false, encoding: .utf8)
        }
        try write("300000 100000\n", "/job/cpu.max")
        try write("max 100000\n", "/job/rank/cpu.max")
        #expect(Processors.quota(groups: "0::/job/rank\n", under: root) == 3)
        try write("50000\n", "/cpu,cpuacct/batch/cpu.cfs_quota_us")
        try write("100000\n", "/cpu,cpuacct/batch/cpu.cfs_period_us")
        #expect(Processors.quota(groups: "4:memory:/x\n1:cpu,cpuacct:/batch\n0::/job/rank\n", under: root) == 0.5)
    }
}
