/// A failure between ranks. Each text has place, found, expected and a hint.
public enum ClusterError: Error, Sendable, Equatable, CustomStringConvertible {
    /// An MPI call failed on `rank`; `bucket` is the gradient bucket under way.
    case call(String, rank: Int, host: String, bucket: Int?, reason: String)
    /// The launcher speaks of `expected` ranks, the MPI library of `found`.
    case singletons(expected: Int, found: Int, variable: String)
    /// The library was built without full thread support.
    case threadLevel(granted: Int, needed: Int)
    /// `mpirun --enable-recovery` keeps a job alive that can never finish.
    case recovery
    /// Ranks differ in what must be equal.
    case mismatch([Difference])

    /// One item in which ranks differ.
    public struct Difference: Sendable, Equatable, CustomStringConvertible {
        public let item: String
        /// Each value with the ranks that have it, the commonest first; nil where the item is absent.
        public let values: [Value]

        public struct Value: Sendable, Equatable {
            public let value: String
            public let ranks: [Int]
            public let hosts: [String]
        }

        public var description: String {
            let lines = values.map { value in
                let hosts = value.hosts.prefix(4).joined(separator: ", ") + (value.hosts.count > 4 ? ", …" : "")
                return
                    "    \(value.value): \(value.ranks.count > 1 ? "ranks" : "rank") \(rangeText(value.ranks)) (\(hosts))"
            }
            return "  \(item)\n" + lines.joined(separator: "\n")
        }
    }

    public var description: String {
        switch self {
        case .call(let call, let rank, let host, let bucket, let reason):
            let part = bucket.map { ", gradient bucket \($0)" } ?? ""
            return "\(call) failed on rank \(rank) (\(host)\(part)): \(reason)"
        case .singletons(let expected, let found, let variable):
            return """
                \(variable) announces \(expected) ranks, but the MPI library sees \(found): this launcher does not belong \
                to the MPI library of this program, each process would train alone. Start it with the mpirun of \
                Open MPI, or with `srun --mpi=pmix`
                """
        case .threadLevel(let granted, let needed):
            return """
                the MPI library grants thread level \(granted), level \(needed) (MPI_THREAD_MULTIPLE) is needed for the \
                exchange beside the backward pass; use an Open MPI built with thread support
                """
        case .recovery:
            return """
                mpirun runs with --enable-recovery: after the death of one rank the others would wait for ever. Start \
                without it; a failed job is restarted from its checkpoint
                """
        case .mismatch(let differences):
            return "the ranks do not agree, nothing was started:\n"
                + differences.map(\.description).joined(separator: "\n")
        }
    }

    /// The same error with the bucket that was under way.
    func during(bucket: Int) -> ClusterError {
        guard case .call(let call, let rank, let host, _, let reason) = self else { return self }
        return .call(call, rank: rank, host: host, bucket: bucket, reason: reason)
    }
}

/// "0-3, 7"
func rangeText(_ ranks: [Int]) -> String {
    var parts: [ClosedRange<Int>] = []
    for rank in ranks.sorted() {
        if let last = parts.last, last.upperBound + 1 == rank {
            parts[parts.count - 1] = last.lowerBound...rank
        } else {
            parts.append(rank...rank)
        }
    }
    return parts.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
        .joined(separator: ", ")
}
