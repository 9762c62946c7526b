import Glibc

/// How often each code of a codebook was chosen.
public struct CodebookUsage: Sendable, Equatable {
    public let tokens, used: Int
    /// e^H of the shares: as many codes in even use would tell as much.
    public let perplexity: Double

    public init(_ counts: [Int]) {
        let total = counts.reduce(0, +)
        tokens = total
        used = counts.count { $0 > 0 }
        perplexity = exp(
            counts.reduce(0.0) { sum, count in
                let share = Double(count) / Double(max(total, 1))
                return count > 0 ? sum - share * log(share) : sum
            })
    }
}
