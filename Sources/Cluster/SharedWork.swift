/// An error that every rank has learned of: all end together, and none waits for another.
public struct SharedError: Error, CustomStringConvertible {
    public let description: String
    /// This rank's own error; nil where only others met one.
    public let own: (any Error)?

    public init(_ error: any Error) { (description, own) = ("\(error)", error) }

    init(_ description: String, own: (any Error)?) { (self.description, self.own) = (description, own) }
}

extension Communicator {
    /// Does on rank 0 what concerns the whole run, such as reading a checkpoint. Its error is every rank's error, so
    /// that no rank waits for one that has gone.
    /// - Parameter body: calls nothing of the group.
    public func onRankZero(_ body: () throws -> Void) throws {
        try together { if rank == 0 { try body() } }
    }

    /// Collective. Every rank does the same; the error of one is every rank's error.
    /// - Parameter body: calls nothing of the group.
    public func together<Value>(_ body: () throws -> Value) throws -> Value {
        let outcome = Result(catching: body)
        guard size > 1 else { return try outcome.get() }
        var own: (any Error)?
        if case .failure(let error) = outcome { own = error }
        let heard = try broadcast(summary(try gather(own.map { "\($0)" } ?? "")))
        if !heard.isEmpty { throw SharedError(heard, own: own) }
        return try outcome.get()
    }

    /// Collective. What must be equal on all ranks: every rank draws the same conclusion.
    public func agree(on fingerprint: [String: String]) throws {
        do throws(ClusterError) {
            try Preflight(self).check(fingerprint)
        } catch {
            if case .mismatch = error { throw SharedError(error) }
            throw error
        }
    }

    /// Each text once. Where the ranks differ, with the first rank that says so.
    private func summary(_ texts: [String]) -> String {
        var lines: [String] = []
        for (speaker, text) in texts.enumerated() where !text.isEmpty && texts.firstIndex(of: text) == speaker {
            let others = texts.count(where: { $0 == text }) - 1
            let place = "rank \(speaker) on \(hosts[speaker])" + (others > 0 ? " and \(others) more" : "")
            lines.append(speaker == 0 || others + 1 == size ? text : "\(place): \(text)")
        }
        return lines.joined(separator: "\n")
    }
}
