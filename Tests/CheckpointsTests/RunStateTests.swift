import Checkpoints
import Testing

/// R15 and R16: what a resumed run may change.
@Suite struct RunStateTests {
    static let state = SampleRun.content(step: 7).state

    @Test func `a safe key may change and is told`() throws {
        let now = ["optimizer.rate": "0.0015", "log.interval": "50"]
        let changes = try Self.state.acceptChanges(to: now, safe: ["log"])
        #expect(changes.map(\.description) == ["log.interval: 10 → 50"])
    }

    @Test func `changes of the state are refused, all in one message`() {
        let now = ["optimizer.rate": "0.002", "optimizer.name": "lion", "log.interval": "10"]
        let error = #expect(throws: CheckpointError.self) { try Self.state.acceptChanges(to: now, safe: ["log"]) }
        #expect(error?.found == "optimizer.name: absent → lion, optimizer.rate: 0.0015 → 0.002")
        #expect(error?.hint.contains("--allow-change optimizer.rate") == true)
    }

    @Test func `an allowed key passes, its neighbour does not`() throws {
        let now = ["optimizer.rate": "0.002", "log.interval": "10"]
        #expect(try Self.state.acceptChanges(to: now, safe: [], allowed: ["optimizer.rate"]).count == 1)
        #expect(throws: CheckpointError.self) {
            try Self.state.acceptChanges(to: now, safe: [], allowed: ["optimizer.r"])
        }
    }

    @Test func `the hash of a recipe depends on each key and value and not on their order`() {
        let one = RunState.hash(of: ["a": "b", "c": "d"])
        #expect(one == RunState.hash(of: ["c": "d", "a": "b"]))
        #expect(one != RunState.hash(of: ["a": "b", "c": "e"]))
        #expect(RunState.hash(of: ["a": "b c"]) != RunState.hash(of: ["a": "b", "c": ""]))
    }

    @Test func `other data is refused with the counts of both`() throws {
        let then = DataFingerprint(hash: 1, counts: ["images": 1797])
        try then.check(now: then)
        let fewer = #expect(throws: CheckpointError.self) {
            try then.check(now: .init(hash: 2, counts: ["images": 1796]))
        }
        #expect(fewer?.found.contains("1796 images") == true && fewer?.expected.contains("1797 images") == true)
        let reordered = #expect(throws: CheckpointError.self) {
            try then.check(now: .init(hash: 2, counts: then.counts))
        }
        #expect(reordered?.hint.contains("reordered") == true)
    }
}
