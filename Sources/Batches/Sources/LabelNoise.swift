import Kernels

/// Wrong labels put in on purpose, by the procedures of the reference. Each takes its draws as arguments; `noisy` gives
/// the draws that are a pure function of (seed, sample), so that every rank and every resumed run sees the same labels.
/// Source: arXiv 2007.00151, code shengliu66/ELR.
public enum LabelNoise: Sendable, Equatable {
    /// A share of the samples gets a label drawn from all classes, the true one included.
    case symmetric(rate: Double)
    /// A share of the samples of some classes gets the label of another class.
    /// - Parameter isSequential: classes are visited in order and labels change on the way, so that samples which have
    ///   just come to a class may leave it again, as in the reference.
    case flips(rate: Double, [ClassFlip], isSequential: Bool)
    /// Each sample of class k gets, with a probability, the label that follows k in its block of `size` class numbers;
    /// the first follows the last.
    case blocks(rate: Double, size: Int)

    /// Truck to automobile, bird to airplane, cat to dog, dog to cat, deer to horse.
    public static let cifar10Flips = [(9, 1), (2, 0), (3, 5), (5, 3), (4, 7)].map { ClassFlip(from: $0.0, to: $0.1) }
    /// Blocks of CIFAR-100: consecutive class numbers, not its coarse classes.
    public static let cifar100Block = 5

    /// The noisy labels of one split.
    /// - Parameter part: another split, other draws.
    public func noisy(_ labels: [Int], classes: Int, seed: UInt64, part: UInt32 = 0) -> [Int] {
        func stream(_ use: UInt32, sample: Int = 0) -> RandomStream {
            RandomStream(seed: seed, purpose: .labelNoise, epoch: part << 16 | use, sample: UInt64(sample))
        }
        switch self {
        case .symmetric(let rate):
            var random = stream(0)
            return Self.symmetric(labels, rate: rate, order: random.permutation(labels.count)) { sample in
                var random = stream(1, sample: sample)
                return random.below(classes)
            }
        case .flips(let rate, let flips, let isSequential):
            return Self.flipped(labels, rate: rate, flips, isSequential: isSequential) { number, members in
                var (random, members) = (stream(2, sample: number), members)
                random.shuffle(&members)
                return members
            }
        case .blocks(let rate, let size):
            return Self.shifted(labels, size: size) { sample in
                var random = stream(1, sample: sample)
                return random.uniform() < rate
            }
        }
    }

    /// - Parameters:
    ///   - order: a permutation of the samples; the first ones are chosen.
    ///   - draw: the new class of a chosen sample.
    public static func symmetric(_ labels: [Int], rate: Double, order: [Int], draw: (_ sample: Int) -> Int) -> [Int] {
        var noisy = labels
        for sample in order.prefix(chosen(rate, of: labels.count)) { noisy[sample] = draw(sample) }
        return noisy
    }

    /// - Parameter shuffled: the samples of a class when it is visited, in random order; the first ones are chosen.
    public static func flipped(
        _ labels: [Int], rate: Double, _ flips: [ClassFlip], isSequential: Bool,
        shuffled: (_ number: Int, _ members: [Int]) -> [Int]
    ) -> [Int] {
        var noisy = labels
        for flip in flips.sorted(by: { $0.from < $1.from }) {
            let current = isSequential ? noisy : labels
            let members = shuffled(flip.from, current.indices.filter { current[$0] == flip.from })
            for sample in members.prefix(chosen(rate, of: members.count)) { noisy[sample] = flip.to }
        }
        return noisy
    }

    /// - Parameter moves: whether a sample's label moves on.
    public static func shifted(_ labels: [Int], size: Int, moves: (_ sample: Int) -> Bool) -> [Int] {
        labels.enumerated().map { sample, label in
            guard moves(sample) else { return label }
            let first = label / size * size
            return first + (label - first + 1) % size
        }
    }

    /// The count of whole numbers below rate·count.
    private static func chosen(_ rate: Double, of count: Int) -> Int { Int((rate * Double(count)).rounded(.up)) }
}

/// Samples of one class that get the label of another.
public struct ClassFlip: Sendable, Equatable {
    public let from, to: Int

    public init(from: Int, to: Int) { (self.from, self.to) = (from, to) }
}
