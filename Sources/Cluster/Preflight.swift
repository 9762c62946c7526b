/// Compares before any work what must be equal on all ranks: program, recipe, data, libraries, instruction level.
public struct Preflight {
    private let communicator: any Communicator

    public init(_ communicator: any Communicator) { self.communicator = communicator }

    /// Collective. Each rank hands in what it found, such as `["program": checksum, "recipe": checksum]`.
    /// - Parameter mayDiffer: items whose differences are returned instead of thrown.
    /// - Returns: differences that are allowed, for the log.
    @discardableResult
    public func check(
        _ fingerprint: [String: String], mayDiffer: Set<String> = []
    ) throws(ClusterError) -> [ClusterError.Difference] {
        // Rank 0 hands the texts of all to all, so that each rank draws the same conclusion by itself.
        let texts = try communicator.gather(encode(fingerprint))
        let joined = try communicator.broadcast(texts.joined(separator: "\u{1D}"))
        let found = joined.split(separator: "\u{1D}", omittingEmptySubsequences: false).map { decode($0) }
        let all = differences(found)
        let refused = all.filter { !mayDiffer.contains($0.item) }
        if !refused.isEmpty { throw .mismatch(refused) }
        return all
    }

    private func differences(_ fingerprints: [[String: String]]) -> [ClusterError.Difference] {
        let items = Set(fingerprints.flatMap(\.keys)).sorted()
        return items.compactMap { item in
            let byValue = Dictionary(grouping: fingerprints.indices) { fingerprints[$0][item] ?? "missing" }
            guard byValue.count > 1 else { return nil }
            let values = byValue.map { value, ranks in
                ClusterError.Difference.Value(value: value, ranks: ranks, hosts: hosts(of: ranks))
            }
            // The commonest first, then by rank, so that the text is the same on every rank.
            return ClusterError.Difference(
                item: item,
                values: values.sorted { ($1.ranks.count, $0.ranks[0]) < ($0.ranks.count, $1.ranks[0]) })
        }
    }

    private func hosts(of ranks: [Int]) -> [String] {
        var names: [String] = []
        for rank in ranks where !names.contains(communicator.hosts[rank]) { names.append(communicator.hosts[rank]) }
        return names
    }

    // Control characters that stand in no checksum, path or version separate the parts.
    private func encode(_ fingerprint: [String: String]) -> String {
        fingerprint.sorted { $0.key < $1.key }.map { "\($0.key)\u{1F}\($0.value)" }.joined(separator: "\u{1E}")
    }

    private func decode(_ text: Substring) -> [String: String] {
        var fingerprint: [String: String] = [:]
        for entry in text.split(separator: "\u{1E}") {
            let parts = entry.split(separator: "\u{1F}", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { fingerprint[String(parts[0])] = String(parts[1]) }
        }
        return fingerprint
    }
}
