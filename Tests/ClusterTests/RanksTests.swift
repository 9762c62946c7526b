import Testing

/// Serialised: each test is a job of its own on the machine's few cores.
@Suite(.serialized, .enabled(if: Job.obstacle == nil, Comment(rawValue: Job.obstacle ?? "")))
struct RanksTests {
    struct Layout: CustomTestStringConvertible {
        let ranks: Int
        let options: [String]
        var testDescription: String { "\(ranks) ranks \(options.joined(separator: " "))" }
    }
    static let layouts = [
        Layout(ranks: 2, options: []),
        Layout(ranks: 3, options: []),
        Layout(ranks: 4, options: []),
        // One machine plays two nodes, of equal and of different size.
        Layout(ranks: 4, options: ["ranksPerNode=2", "canonical=1"]),
        Layout(ranks: 3, options: ["ranksPerNode=2", "canonical=1"]),
        Layout(ranks: 2, options: ["ranksPerNode=1"]),
    ]

    @Test(arguments: layouts)
    func `sums have the bits of the tree over ranks, in the window, beside it and on every rank`(_ layout: Layout) {
        let job = Job.run("sums", ranks: layout.ranks, layout.options)
        #expect(job.status == 0, "\(job.output)")
        let ranks = job.lines.filter { $0.hasPrefix("rank ") }
        #expect(ranks.count == layout.ranks)
        #expect(Set(ranks.map { $0.drop { $0 != ":" } }).count == 1, "\(job.output)")
        for line in ranks {
            #expect(line.split(separator: ";").prefix(2).allSatisfy { $0.hasSuffix("wrong 0") }, "\(line)")
            #expect(line.contains("maximum [\(layout.ranks - 1).0, "))
            #expect(line.hasSuffix("broadcast from rank 0"))
        }
        let gathered = (0..<layout.ranks).map { "r\($0)" }.joined(separator: ",")
        #expect(job.lines.contains("gathered \(gathered)"))
    }

    @Test func `without the tree option every rank of uneven nodes still has the same bits`() {
        let job = Job.run("sums", ranks: 3, ["ranksPerNode=2"])
        #expect(job.status == 0, "\(job.output)")
        let sums = job.lines.filter { $0.hasPrefix("rank ") }.map { $0.drop { $0 != ":" } }
        #expect(sums.count == 3)
        #expect(Set(sums).count == 1, "\(job.output)")
    }

    @Test(arguments: [Layout(ranks: 2, options: []), Layout(ranks: 4, options: ["ranksPerNode=2"])])
    func `gradients on the exchange thread and small sums beside it are both right`(_ layout: Layout) {
        let job = Job.run("exchange", ranks: layout.ranks, layout.options)
        let ranks = job.lines.filter { $0.contains("exchange") }
        #expect(ranks.count == layout.ranks, "\(job.output)")
        #expect(ranks.allSatisfy { $0.hasSuffix("wrong 0") }, "\(job.output)")
        #expect(Set(ranks.map { $0.drop { $0 != ":" } }).count == 1)
    }

    @Test func `a rank that waits for another sleeps`() throws {
        let job = Job.run("barrier", ranks: 3)
        let waits = job.lines.filter { $0.contains("waited") }
        #expect(waits.count == 2, "\(job.output)")
        for line in waits {
            // One second of waiting; a spinning wait would cost about one second of processor.
            let seconds = try #require(Double(line.split(separator: " ")[4]))
            #expect(seconds < 0.1, "\(line)")
        }
    }

    @Test func `ranks with different fingerprints are refused with the item of each rank`() throws {
        let job = Job.run("preflight", ranks: 3)
        #expect(job.status == 78)
        #expect(job.output.contains("program\n    abc: ranks 0, 2 ("), "\(job.output)")
        #expect(job.output.contains("    xyz: rank 1 ("))
        #expect(job.output.contains("allowed [\"level\"]"))
        let agreed = try #require(job.lines.first { $0.hasPrefix("agreed after") })
        #expect(try #require(Double(agreed.split(separator: " ")[2])) < 10)
    }

    @Test func `a signal to one rank stops all after the same step, and a NaN on one is known to all`() {
        let job = Job.run("tally", ranks: 3)
        #expect(job.status == 0)
        for rank in 0..<3 {
            #expect(
                job.lines.filter { $0.hasPrefix("rank \(rank) ") } == [
                    "rank \(rank) step 0: 6.0 3.0 0 stop false",
                    "rank \(rank) step 1: 4.0 2.0 1 stop false",
                    "rank \(rank) step 2: 6.0 3.0 0 stop true",
                ], "\(job.output)")
        }
    }

    @Test func `a slow rank is named within 50 steps`() {
        let job = Job.run("slow", ranks: 2)
        #expect(job.lines.contains { $0.hasPrefix("step 20: rank 1 on ") && $0.contains("1100 ms") }, "\(job.output)")
    }

    @Test(arguments: ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"])
    func `processes that a foreign launcher started as singletons are detected`(_ variable: String) {
        let job = Job.runAlone("join", environment: "\(variable)=2")
        #expect(job.output.contains("\(variable) announces 2 ranks, but the MPI library sees 1"), "\(job.output)")
        #expect(job.status == 78)
    }

    @Test func `without a launcher the process is alone`() {
        #expect(Job.runAlone("join").output == "rank 0 of 1\n")
    }

    @Test func `a launcher that keeps a broken job alive is refused`() {
        let job = Job.runAlone("join", environment: "OMPI_COMM_WORLD_SIZE=2 OMPI_MCA_orte_enable_recovery=1")
        #expect(job.status == 78)
        #expect(job.output.contains("--enable-recovery"))
    }

    @Test(arguments: [Layout(ranks: 3, options: []), Layout(ranks: 4, options: ["ranksPerNode=2"])])
    func `a stopped rank ends the job by the deadline, named with host and phase`(_ layout: Layout) {
        let job = Job.run("stall", ranks: layout.ranks, ["what=stop", "who=1", "deadline=2"] + layout.options)
        #expect(job.status == 76, "\(job.output)")
        #expect(
            job.lines.contains { $0.hasPrefix("rank 1 on ") && $0.contains("backward of step 10") }, "\(job.output)")
        #expect(job.seconds < 12)
    }

    @Test func `a node that falls silent is named by another node`() {
        let job = Job.run("stall", ranks: 2, ["what=stop", "who=1", "deadline=2", "ranksPerNode=1"])
        #expect(job.status == 76, "\(job.output)")
        #expect(job.lines.contains { $0.hasPrefix("rank 1 on ") && $0.contains("no sign of life") }, "\(job.output)")
        #expect(job.seconds < 12)
    }

    @Test func `a rank that hangs in its own code is named, not the ranks that wait for it`() {
        let job = Job.run("stall", ranks: 3, ["what=hang", "who=0", "deadline=2"])
        #expect(job.status == 76, "\(job.output)")
        #expect(
            job.lines.contains { $0.hasPrefix("rank 0 on ") && $0.contains("no progress in backward") }, "\(job.output)"
        )
        #expect(!job.lines.contains { $0.hasPrefix("rank 1 on ") && $0.contains("no progress") }, "\(job.output)")
    }

    @Test func `a killed rank ends the job within 5 seconds`() {
        let job = Job.run("stall", ranks: 3, ["what=kill", "who=2", "deadline=600"])
        #expect(job.status != 0)
        #expect(job.seconds < 5, "\(job.output)")
    }

    @Test func `SIGTERM to the launch script lets the ranks save and ends with 75`() {
        let job = Job.underScript("preempt", ranks: 2, signal: "TERM")
        #expect(job.lines.contains("saved"), "\(job.output)")
        #expect(job.status == 75, "\(job.output)")
        // By itself the probe goes on for 30 seconds and ends with 0.
        #expect(job.seconds < 20)
    }

    @Test func `nothing is left in shared memory after a kill`() throws {
        let before = Command.run("ls /dev/shm | grep -c lacuna").output
        _ = Job.run("stall", ranks: 2, ["what=kill", "who=1", "deadline=600"])
        #expect(Command.run("ls /dev/shm | grep -c lacuna").output == before)
    }
}
