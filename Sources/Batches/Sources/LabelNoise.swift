import Kernels
public import Recipes

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

    /// - Parameter similar: the classes taken for one another where the recipe names none.
    public init(_ settings: Recipe.LabelNoise, similar: SimilarClasses?) {
        switch (settings.kind, settings.similarClasses ?? similar) {
        case (.symmetric, _): self = .symmetric(rate: settings.noiseRate)
        case (.asymmetric, .blocks(let size)?): self = .blocks(rate: settings.noiseRate, size: size)
        case (.asymmetric, .flips(let flips)?):
            self = .flips(rate: settings.noiseRate, flips, isSequential: settings.asymSequential)
        case (.asymmetric, nil): preconditionFailure("a checked recipe says which classes are taken for one another")
        }
    }

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

/// Classes that are taken for one another.
public enum SimilarClasses: Sendable, Equatable {
    case flips([ClassFlip])
    /// In each block of so many consecutive class numbers every class is taken for the next one, the last for the first.
    case blocks(Int)
}

extension Recipe.LabelNoise {
    fileprivate var similarClasses: SimilarClasses? {
        flips.map { .flips($0.map { ClassFlip(from: $0[0], to: $0[1]) }) } ?? blocks.map { .blocks($0) }
    }

    /// Rules with the training set.
    /// - Parameters:
    ///   - similar: its classes that are taken for one another.
    ///   - known: the kinds of sets that have such classes.
    ///   - here: at the whole recipe.
    public func check(similar: SimilarClasses?, known: [String], _ here: Here) {
        let classes = similarClasses ?? similar
        here.require(
            kind == .symmetric || classes != nil, at: "data.label_noise", reading: ["data.train.kind"],
            "missing key 'flips' or 'blocks': which classes are taken for which is known for "
                + "\(known.joined(separator: " and ")) only")
        var flips = false
        if case .flips? = classes { flips = true }
        here.require(
            asymSequential || kind == .asymmetric && (flips || classes == nil),
            at: "data.label_noise.asym_sequential", reading: ["data.label_noise", "data.train.kind"],
            "classes come one after the other only where they are flipped, which this noise does not do")
    }
}

/// Samples of one class that get the label of another.
public struct ClassFlip: Sendable, Equatable {
    public let from, to: Int

    public init(from: Int, to: Int) { (self.from, self.to) = (from, to) }
}
