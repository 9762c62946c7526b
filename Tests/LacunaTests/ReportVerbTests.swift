import Foundation
import Testing

@Suite(.serialized) struct ReportVerbTests {
    @Test func `a run gets its page, and what is no run gets a reason and 64`() throws {
        let bench = try Bench(updates: 4)
        bench.train()
        let ending = Program.shell("$LACUNA report \(bench.folder)/run --verify")
        #expect(ending.code == 0, "\(ending.output)")
        #expect(ending.output.contains("\(bench.folder)/run/report.html: "))
        let page = String(decoding: bench.bytes("run/report.html") ?? Data(), as: UTF8.self)
        #expect(page.hasPrefix("<!DOCTYPE html>") && page.contains("step 4 of 4") && page.contains(">valid<"))

        let refused = Program.shell("$LACUNA report \(bench.folder)")
        #expect(refused.code == 64)
        #expect(refused.output.contains("expected the folder of a run (runs in it: \(bench.folder)/run)"))
        #expect(Program.shell("$LACUNA report \(bench.folder)/nowhere").code == 74)
        #expect(Program.shell("$LACUNA report \(bench.folder)/run \(bench.folder)/run").code == 64)
        #expect(Program.shell("$LACUNA report \(bench.folder)/run --output \(bench.folder)/no/such.html").code == 74)
    }
}
