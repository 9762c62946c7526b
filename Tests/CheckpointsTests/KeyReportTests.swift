import Checkpoints
import Kernels
import Testing

@Suite struct KeyReportTests {
    private let stored = [
        StoredTensor("head.weight", [3, 2], Floats([0, 0, 0, 0, 0, 0])),
        StoredTensor("norm.bias", [2], Floats([0, 0])),
        StoredTensor("norm.weight", [2], Floats([1, 1])), StoredTensor("steps", [], integers: [5]),
    ]

    @Test func `every name stands in one list`() {
        let report = KeyReport(
            stored,
            for: [
                WantedTensor("norm.weight", [2]), WantedTensor("head.weight", [10, 2]), WantedTensor("cls_token", [2]),
                WantedTensor("steps", []),
            ])
        #expect(report.matched == ["norm.weight"])
        #expect(report.missing == ["cls_token"])
        #expect(report.unexpected == ["norm.bias"])
        #expect(
            report.misshaped.map(\.description) == [
                "head.weight [3, 2], wanted [10, 2]", "steps of I64, wanted floats",
            ])
    }

    @Test func `a long list of names is cut and counted`() {
        #expect(KeyReport.text((0..<5).map { "b\($0)" }, atMost: 3) == "b0, b1, b2 and 2 more")
        #expect(KeyReport.text(["b"]) == "b")
    }

    @Test func `names that differ in numbers alone are one entry`() {
        let names = ["cls_token", "a.0.c.10", "a.1.c.11", "a.7.b", "head"]
        #expect(KeyReport.text(names) == "cls_token, a.*.c.* (2), a.7.b, head")
        #expect(KeyReport.text(names, atMost: 2) == "cls_token, a.*.c.* (2) and 2 more")
    }
}
