import Cluster
import Glibc
import Kernels
import Platform

/// A small program that the cluster tests start under mpirun: one verb per claim, one line of output per rank.
enum ClusterProbe {
    static func run(_ arguments: [String]) {
        let verb = arguments.dropFirst().first ?? ""
        let options = Dictionary(
            uniqueKeysWithValues: arguments.dropFirst(2).compactMap { argument in
                let parts = argument.split(separator: "=", maxSplits: 1)
                return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
            })
        do {
            let group = try join(options)
            for remark in group.remarks { print("remark: \(remark)") }
            switch verb {
            case "sums": try sums(group, options)
            case "exchange": try exchange(group, options)
            case "barrier": try sleepingBarrier(group)
            case "preflight": try preflight(group)
            case "tally": try tally(group)
            case "preempt": try preempt(group)
            case "slow": try slow(group)
            case "stall": try stall(group, options)
            case "speed": try speed(group, options)
            case "balance": try balance(group, options)
            case "join": print("rank \(group.rank) of \(group.size)")
            default: exit(64)
            }
            try group.finish()
        } catch let error as ClusterError {
            writeError("\(error)")
            exitAtOnce(78)
        } catch {
            writeError("\(error)")
            exitAtOnce(1)
        }
    }

    /// Joins as `lacuna` does, or with ranks laid out as the test wants them.
    private static func join(_ options: [String: String]) throws -> any Communicator {
        let isCanonical = options["canonical"] != nil
        if let count = options["ranksPerNode"].flatMap({ Int($0) }) {
            return try MPIWorld(isCanonical: isCanonical, ranksPerNode: count)
        }
        return try LaunchEnvironment(environment()).join(isCanonical: isCanonical)
    }

    private static func environment() -> [String: String] {
        var values: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let parts = String(cString: text).split(separator: "=", maxSplits: 1)
            if parts.count == 2 { values[String(parts[0])] = String(parts[1]) }
            entry += 1
        }
        return values
    }

    /// The value that `rank` hands in at `index`: different magnitudes, so that another order gives other bits.
    static func value(_ rank: Int, _ index: Int) -> Float {
        let mixed = UInt32(truncatingIfNeeded: (index &* 2_654_435_761) ^ (rank &* 40_503)) >> 8
        return (Float(mixed) / 8_388_608 - 1) * (rank % 2 == 0 ? 1 : 1000)
    }

    /// What the sum must be: ((0 + 1) + (2 + 3)) + …
    static func treeSum(_ ranks: Range<Int>, _ index: Int) -> Float {
        if ranks.count == 1 { return value(ranks.lowerBound, index) }
        var half = 1
        while half * 2 < ranks.count { half *= 2 }
        let middle = ranks.lowerBound + half
        return treeSum(ranks.lowerBound..<middle, index) + treeSum(middle..<ranks.upperBound, index)
    }

    static func checksum(_ floats: Floats) -> UInt64 {
        floats.array.reduce(14_695_981_039_346_656_037) { ($0 ^ UInt64($1.bitPattern)) &* 1_099_511_628_211 }
    }

    /// Sums in the window, beside it and of doubles. Prints checksums and how many values differ from the tree sum.
    private static func sums(_ group: any Communicator, _ options: [String: String]) throws {
        let count = options["count"].flatMap { Int($0) } ?? 100_003
        let window = try group.allocate(count)
        let plain = Floats(zeros: count)
        let channel = try group.duplicate()
        var lines: [String] = []
        for (name, memory) in [("window", window), ("plain", plain)] {
            for index in 0..<count { memory[index] = value(group.rank, index) }
            // Two ranges through two channels: the second begins in the middle of a cache line.
            let cut = count / 3
            try group.sum(memory[0..<cut])
            try channel.sum(memory[cut..<count])
            let wrong = (0..<count).count { memory[$0] != treeSum(0..<group.size, $0) }
            lines.append("\(name) \(checksum(memory)) wrong \(wrong)")
        }
        let scalars = Doubles((0..<5).map { Double(value(group.rank, $0)) })
        try group.sum(scalars)
        let extremes = Doubles([Double(group.rank), -Double(group.rank)])
        try group.maximum(extremes)
        let text = try group.broadcast("from rank \(group.rank)")
        let texts = try group.gather("r\(group.rank)")
        lines.append("doubles \(scalars.array.map(\.bitPattern)) maximum \(extremes.array)")
        lines.append("broadcast \(text)")
        print("rank \(group.rank): " + lines.joined(separator: "; "))
        if group.rank == 0 { print("gathered \(texts.joined(separator: ","))") }
    }

    /// Two sets of collectives at once: gradients on the exchange thread, small sums on this one.
    private static func exchange(_ group: any Communicator, _ options: [String: String]) throws {
        let count = 400_000
        let gradients = try group.allocate(count)
        let buckets = [0..<150_000, 150_000..<300_000, 300_000..<count]
        let exchange = try GradientExchange(group, gradients: gradients, buckets: buckets)
        let scalars = Doubles(zeros: 2)
        var wrong = 0
        for step in 0..<(options["steps"].flatMap { Int($0) } ?? 20) {
            for (number, bucket) in buckets.enumerated() {
                for index in bucket { gradients[index] = value(group.rank, index + step) }
                scalars[0] = Double(group.rank + number)
                exchange.send(bucket: number)
                try group.sum(scalars[0..<1])
                let expected = (0..<group.size).reduce(0.0) { $0 + Double($1 + number) }
                if scalars[0] != expected { wrong += 1 }
            }
            try exchange.finish()
            for index in stride(from: 0, to: count, by: 997) {
                if gradients[index] != treeSum(0..<group.size, index + step) { wrong += 1 }
            }
        }
        print("rank \(group.rank): exchange \(checksum(gradients)) wrong \(wrong)")
    }
}
