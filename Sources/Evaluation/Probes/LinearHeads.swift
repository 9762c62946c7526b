package import Autodiff
import Cluster
import Glibc
package import Kernels
import Optimizers

/// How a head follows its gradient; both with momentum 0.9 and without decay.
package enum HeadRule: String, Sendable {

    case sgd = "SGD, momentum 0.9"
    /// The step of a matrix is trust·‖w‖/‖g‖ as long, trust 0.001; vectors as in SGD. The form of facebookresearch/mae.
    case lars = "LARS, momentum 0.9, trust 0.001"
}

/// Linear classifiers side by side over the same features: one product gives the scores of all, one their gradients,
/// and each follows its own rule at its own learning rate.
package final class LinearHeads {
    /// Columns of the feature vector that all of them read.
    let columns: Range<Int>
    let count: Int
    private let classes: Int
    private let settings: [Double]
    /// (H·K, F) weights, then (H·K) biases.
    private let values, gradients: Floats
    /// Running direction of each number.
    private let momentum: Floats
    /// The heads' weights, then their biases: two numbers each.
    private let pieces: UpdatePieces
    private static let squares = UpdateKernel("squares")
    private let norms: Doubles
    private let factors: Floats
    private let pool: WorkerPool
    private var scores: Floats
    private var scratch: Floats
    /// (B, H), the probability of each sample's class.
    private var chances: Floats

    /// - Parameters:
    ///   - settings: learning rate or penalty of each head.
    ///   - start: law of the weights, the same numbers for each head; biases start at 0.
    package init(
        _ columns: Range<Int>, classes: Int, settings: [Double], start: Initializer, seed: UInt64,
        pool: WorkerPool
    ) {
        (self.columns, self.classes, self.settings, self.pool) = (columns, classes, settings, pool)
        count = settings.count
        let (heads, size) = (settings.count, classes * columns.count)
        let total = heads * (size + classes)
        (values, gradients) = (Floats(zeros: total), Floats(zeros: total))
        let graph = Graph()
        let head = graph.scope["head"].parameter("weight", [classes, columns.count], start)
        let first = ParameterStore(graph, minimising: nil, seed: seed, pool: pool).value(head.name)
        for head in 0..<heads {
            if let first { values[head * size..<(head + 1) * size].copy(from: first) }
        }
        momentum = Floats(zeros: total)
        let bias = heads * size
        pieces = UpdatePieces(
            (0..<heads).map { $0 * size..<($0 + 1) * size }
                + (0..<heads).map { bias + $0 * classes..<bias + ($0 + 1) * classes })
        (norms, factors) = (Doubles(zeros: 4 * heads), Floats(zeros: 4 * heads))
        (scores, scratch, chances) = (Floats(zeros: 0), Floats(zeros: 0), Floats(zeros: 0))
    }

    /// (K, F) of one head.
    package func weight(ofHead head: Int) -> Floats {
        values[head * classes * columns.count..<(head + 1) * classes * columns.count]
    }

    private var outputs: Int { count * classes }
    private func weight(of all: Floats) -> Matrix {
        Matrix(all[0..<outputs * columns.count], rows: outputs, columns: columns.count)
    }
    private func bias(of all: Floats) -> Floats { all[outputs * columns.count..<all.count] }

    /// One update of every head on a batch.
    /// - Parameters:
    ///   - x: (B, F) with F the whole feature vector.
    ///   - factor: on every head's learning rate.
    ///   - step: from 1.
    package func learn(_ x: Floats, labels: Indices, rule: HeadRule, factor: Double, step: Int) {
        differentiate(x, labels: labels, share: 1 / Float(labels.count), adding: false)
        update(rule, factor: factor, step: step)
    }

    /// The gradients of share·Σ cross entropy over a batch; `scores` then holds the probabilities less the targets,
    /// times the share.
    private func differentiate(_ x: Floats, labels: Indices, share: Float, adding: Bool) {
        let (rows, x) = (labels.count, view(x, rows: labels.count))
        forward(x, rows: rows)
        pool.softmax(scores, into: scores, rows: rows * count, columns: classes)
        pool.split(rows, grain: 64, (scores, labels, count, classes, share, chances)) { work, range in
            let (scores, labels, heads, classes, share, chances) = work
            for row in range {
                let line = scores[row * heads * classes..<(row + 1) * heads * classes]
                for head in 0..<heads {
                    let own = head * classes + Int(labels[row])
                    chances[row * heads + head] = line[own]
                    line[own] -= 1
                }
                for output in 0..<line.count { line[output] *= share }
            }
        }
        pool.multiply(
            Matrix(scores, rows: rows, columns: outputs).transposed, x, into: weight(of: gradients), adding: adding)
        pool.columnSums(
            scores, rows: rows, channels: outputs, into: bias(of: gradients), adding: adding, scratch: scratch)
    }

    /// Minimises, for each head, the mean cross entropy over `samples` plus ½·penalty·‖weights‖²; all heads ask for the same samples at the same time, so that they share the products.
    /// - Parameters:
    ///   - batches: calls its argument with the samples in parts, always the same ones.
    package func fit(
        samples: Int, mostPasses: Int, progress: (Int) throws -> Void,
        batches: ((Floats, Indices) -> Void) -> Void
    ) throws {
        let size = classes * columns.count
        func places(_ head: Int) -> [Range<Int>] {
            let bias = count * size + head * classes
            return [head * size..<(head + 1) * size, bias..<bias + classes]
        }
        var searches = (0..<count).map { head in
            LBFGS(from: places(head).flatMap { values[$0].array.map(Double.init) })
        }
        for pass in 0..<mostPasses where searches.contains(where: { !$0.isDone }) {
            var sums = [Double](repeating: 0, count: count)
            gradients.fill(0)
            batches { x, labels in
                differentiate(x, labels: labels, share: 1 / Float(samples), adding: true)
                for row in 0..<labels.count {
                    // The least positive Float: a probability of 0 is one that is too small for it.
                    for head in 0..<count { sums[head] -= log(Double(max(chances[row * count + head], 1e-38))) }
                }
            }
            for head in 0..<count where !searches[head].isDone {
                let point = searches[head].point
                var value = sums[head] / Double(samples)
                var gradient = places(head).flatMap { gradients[$0].array.map(Double.init) }
                for index in 0..<size {
                    value += settings[head] / 2 * point[index] * point[index]
                    gradient[index] += settings[head] * point[index]
                }
                searches[head].learn(value: value, gradient: gradient)
                let next = searches[head].point.map { Float($0) }
                values[places(head)[0]].copy(from: Array(next[..<size]))
                values[places(head)[1]].copy(from: Array(next[size...]))
            }
            try progress(pass + 1)
        }
    }

    /// `b = 0.9·b + r·d; w -= factor·b` with r the head's learning rate, which stands outside of b, since r stays the same.
    private func update(_ rule: HeadRule, factor: Double, step: Int) {
        if rule == .lars {
            pool.measure(Self.squares, values, gradients, state: [], [0], pieces, norms: norms)
        }
        for tensor in 0..<2 * count {
            var ratio = settings[tensor % count]
            if rule == .lars, tensor < count {
                let (weight, gradient) = (norms[2 * tensor].squareRoot(), norms[2 * tensor + 1].squareRoot())
                if weight > 0, gradient > 0 { ratio *= 0.001 * weight / gradient }
            }
            factors[2 * tensor + 1] = Float(ratio)
        }
        Momentum(0.9).apply(
            values, gradients, [momentum], pieces, learningRate: factor, isFirst: step == 1, factors: factors,
            pool: pool)
    }

    /// Adds up, for each head, the samples of a batch whose class is its first guess and those whose class is among its
    /// first five. A tie, or a score that is no number, is no hit.
    func count(_ hits: inout [Hits], _ x: Floats, labels: Indices) {
        forward(view(x, rows: labels.count), rows: labels.count)
        for row in 0..<labels.count {
            let label = Int(labels[row])
            for head in 0..<count {
                let line = scores[(row * count + head) * classes..<(row * count + head + 1) * classes]
                var before = 0
                for other in 0..<classes where other != label && !(line[other] < line[label]) { before += 1 }
                hits[head].add(place: before)
            }
        }
    }

    private func view(_ x: Floats, rows: Int) -> Matrix {
        Matrix(
            x[columns.lowerBound..<x.count], rows: rows, columns: columns.count, stride: rows > 0 ? x.count / rows : nil
        )
    }

    private func forward(_ x: Matrix, rows: Int) {
        if scores.count != rows * outputs {
            scores = Floats(zeros: rows * outputs)
            chances = Floats(zeros: rows * count)
            scratch = Floats(zeros: WorkerPool.columnSumScratch(rows: rows, channels: outputs))
        }
        pool.fillRows(bias(of: values), into: scores, rows: rows)
        pool.multiply(
            x, weight(of: values).transposed, into: Matrix(scores, rows: rows, columns: outputs), adding: true)
    }
}

/// Samples whose class was among the first guesses.
struct Hits: Sendable, Equatable {
    var first = 0, firstFive = 0, of = 0

    /// - Parameter place: classes with a better score than the right one.
    mutating func add(place: Int) {
        of += 1
        if place < 1 { first += 1 }
        if place < 5 { firstFive += 1 }
    }

    /// Percent.
    var top1: Double { 100 * Double(first) / Double(max(of, 1)) }
    /// Percent.
    var top5: Double { 100 * Double(firstFive) / Double(max(of, 1)) }
}
