import Cluster
import Glibc
import Kernels
import Objectives

/// How well the scores of a classifier fit the labels of a set.
public struct Scores: Sendable, Equatable {
    public let images: Int
    /// Percent of the images whose class has the highest score, or one of the five highest.
    public let top1, top5: Double
    /// Mean cross entropy.
    public let loss: Double

    /// `top-1 85.32 %  top-5 99.10 %  loss 0.4412`
    public var text: String {
        "top-1 \(fixed(top1, digits: 2)) %  top-5 \(fixed(top5, digits: 2)) %  loss \(fixed(loss, digits: 4))"
    }
}

extension Scores {
    var measures: [Measure] {
        [.init("top1", top1), .init("top5", top5), .init("loss", loss)]
    }
}

/// What a test set says of one set of weights.
public struct TestResult: Sendable, Equatable {
    public enum Kind: String, Sendable {
        case last, ema, best
    }

    public let kind: Kind
    public let step: Int
    public let isAveraged: Bool
    public let scores: Scores
}

/// How far an evaluation is, told every ten seconds.
struct EvaluationMeter {
    private let name: String
    private let start = MonotonicTime.now
    private var shown = MonotonicTime.now

    init(_ name: String) { self.name = name }

    mutating func line(_ done: Int, of total: Int) -> String? {
        let now = MonotonicTime.now
        guard now - shown > 10, done > 0 else { return nil }
        shown = now
        let rate = Double(done) / (now - start)
        return "evaluation on \(name)  \(done)/\(total) images  \(fixed(rate, digits: 0))/s  "
            + "ETA \(clock(Double(total - done) / rate))"
    }
}

/// The sums behind `Scores`. Counts are exact; each image enters once.
struct ScoreTally {
    /// Images, right first, right among five, loss.
    private let sums = Doubles(zeros: 4)

    /// - Parameters:
    ///   - z: class scores of one image.
    ///   - label: its class; an image without one is not counted.
    func add(_ z: Floats, label: Int) {
        guard label >= 0 else { return }
        let own = z[label]
        var (before, largest) = (0, -Float.infinity)
        for k in 0..<z.count {
            // Of equal scores the first class wins. A score that is no number beats all, an own one loses to all.
            if k != label, !(z[k] < own || (z[k] == own && k > label)) { before += 1 }
            largest = max(largest, z[k])
        }
        if !own.isFinite { before = z.count }
        var partition = 0.0
        for k in 0..<z.count { partition += exp(Double(z[k] - largest)) }
        sums[0] += 1
        sums[1] += before < 1 ? 1 : 0
        sums[2] += before < 5 ? 1 : 0
        sums[3] += log(partition) - Double(own - largest)
    }

    var images: Int { Int(sums[0]) }

    /// What the ranks together counted.
    var values: Doubles { sums }

    func add(_ other: Doubles) { for index in 0..<4 { sums[index] += other[index] } }

    func clear() { sums.fill(0) }

    var scores: Scores {
        let count = max(sums[0], 1)
        return Scores(
            images: images, top1: 100 * sums[1] / count, top5: 100 * sums[2] / count, loss: sums[3] / count)
    }
}
