import Evaluation
import FoundationEssentials
import Kernels
import Testing

/// Coding rates and shares of zeros of given numbers.
@Suite struct CRATEMeasures {
    struct Settings: Decodable, Sendable {
        struct Case: Decodable, Sendable {
            let batch, heads, tokens, dim_head: Int
            let eps: Double
        }
        let cases: [String: Case]
    }

    @Test func `rates and shares of zeros equal the reference's`() throws {
        var compared = 0
        for golden in CRATEFile.files() {
            guard let text = golden.file.metadata["config"],
                let settings = try? JSONDecoder().decode(Settings.self, from: Data(text.utf8))
            else { continue }
            for (name, the) in settings.cases {
                let size = the.tokens * the.dim_head
                let numbers = Floats(try golden.floats("input/\(name)"))
                let rates = (0..<the.batch * the.heads).map { head in
                    CodingRate(epsilon: the.eps).rate(
                        numbers[head * size..<(head + 1) * size], tokens: the.tokens, width: the.dim_head,
                        stride: the.dim_head)
                }
                let ours = stride(from: 0, to: rates.count, by: the.heads).map {
                    rates[$0..<$0 + the.heads].reduce(0, +)
                }
                expectWithin(
                    CRATETolerance.output, rates.map { Float($0) }, try golden.floats("output/\(name)/rate_per_head"),
                    name)
                try compare(ours, golden, "output/\(name)/mean", "output/\(name)/std", divisor: ours.count - 1)
                compared += 1
            }
            guard golden.file.contains("input/sparse") else { continue }
            let sparse = try golden.file.tensor("input/sparse")
            let (numbers, size) = (Floats(sparse.floats), sparse.floats.count / sparse.shape[0])
            let shares = (0..<sparse.shape[0]).map { LayerMeasurements.zeroShare(numbers[$0 * size..<($0 + 1) * size]) }
            try compare(
                shares, golden, "output/sparse/zero_fraction_mean", "output/sparse/zero_fraction_std",
                divisor: shares.count)
            let mean = shares.reduce(0, +) / Double(shares.count)
            expectWithin(
                CRATETolerance.output, [Float(1 - mean)], try golden.floats("output/sparse/nonzero_fraction"), "nonzero"
            )
        }
        #expect(compared > 0)
    }

    private func compare(
        _ values: [Double], _ golden: CRATEFile, _ mean: String, _ deviation: String, divisor: Int
    ) throws {
        let centre = values.reduce(0, +) / Double(values.count)
        let squares = values.reduce(0) { $0 + ($1 - centre) * ($1 - centre) }
        expectWithin(CRATETolerance.output, [Float(centre)], try golden.floats(mean), mean)
        guard divisor > 0 else { return }
        let spread = (squares / Double(divisor)).squareRoot()
        expectWithin(CRATETolerance.output, [Float(spread)], try golden.floats(deviation), deviation)
    }
}
