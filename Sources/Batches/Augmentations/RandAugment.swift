public import Kernels
public import Recipes

/// A few random operations, each at about the same level. Source: arXiv 1909.13719 in timm's form, which skips half of
/// the operations and may vary the level.
public struct RandAugment: ImagePolicy, Equatable {
    public static let kind = "rand_augment"

    public struct Settings: RecipeSection {
        let config: String
        let interpolation: WarpStyle.Filter
        let fill: [Int]

        public static let meanings = WarpStyle.meanings.merging(["config": "timm's text: rand-m9-mstd0.5-inc1."]) { $1 }

        public func check(_ here: Here) {
            let problem = Config(config).problem
            here.require(problem == nil, at: "config", problem ?? "")
            WarpStyle.check(fill, here)
        }
    }

    public let config: Config
    public let style: WarpStyle

    public init(_ config: Config, _ style: WarpStyle) { (self.config, self.style) = (config, style) }

    public init(_ settings: Settings) {
        self.init(Config(settings.config), WarpStyle(settings.interpolation, fill: settings.fill))
    }

    public func apply(_ image: inout Image, _ random: inout RandomStream) {
        for _ in 0..<config.operations {
            let operation = TimmOperation.allCases[random.below(TimmOperation.allCases.count)]
            guard random.uniform() < config.probability else { continue }
            let isNegative = operation.isSigned(increasing: config.increasing) && random.below(2) == 1
            let drawn = operation.at(
                level: level(&random), increasing: config.increasing, isNegative: isNegative, height: image.height,
                width: image.width)
            image.apply(drawn, style.draw(&random), fill: style.fill)
        }
    }

    /// The level of one operation.
    private func level(_ random: inout RandomStream) -> Double {
        if config.std.isInfinite { return min(random.uniform() * config.magnitude, config.limit) }
        let level = config.std > 0 ? config.magnitude + config.std * random.normal() : config.magnitude
        return min(max(level, 0), config.limit)
    }
}

extension RandAugment {
    /// timm's text for the policy, as in `rand-m9-mstd0.5-inc1`: after `rand` the parts m (mean level), n (operations of
    /// an image), mstd (standard deviation of the level, above 100: uniform levels), inc1 (the increasing set), p
    /// (probability of an operation), mmax (highest level). Source: timm, `rand_augment_transform`.
    public struct Config: Sendable, Equatable {
        /// Mean level of an operation.
        public private(set) var magnitude = 10.0
        /// Operations of an image, drawn with replacement.
        public private(set) var operations = 2
        /// Standard deviation of the level; infinite: uniform in 0 to `magnitude`.
        public private(set) var std = 0.0
        /// The set in which a higher level always changes an image more.
        public private(set) var increasing = false
        /// Probability that an operation is done at all, 0...1.
        public private(set) var probability = 0.5
        /// The highest level.
        public private(set) var limit = 10.0
        /// The fault of the text; nil for a policy.
        public private(set) var problem: String?

        public init(_ text: String) {
            let parts = text.split(separator: "-", omittingEmptySubsequences: false)
            guard parts[0] == "rand" else {
                problem = "a policy like rand-m9-mstd0.5-inc1 expected, found '\(text)'"
                return
            }
            for part in parts.dropFirst() {
                if let expected = read(part) {
                    problem = "'\(part)' in '\(text)': \(expected)"
                    return
                }
            }
        }

        /// - Returns: what is wrong with the part.
        private mutating func read(_ part: Substring) -> String? {
            let name = part.prefix { !$0.isNumber }, digits = part.dropFirst(name.count)
            let number = Double(text: String(digits), isPlain: true), whole = Int(text: String(digits), isPlain: true)
            switch name {
            case "m":
                guard let whole, (0...100).contains(whole) else { return "a whole level expected after 'm'" }
                magnitude = Double(whole)
            case "n":
                guard let whole, (1...100).contains(whole) else { return "a number of operations expected after 'n'" }
                operations = whole
            case "mstd":
                guard let number, number >= 0 else { return "a standard deviation expected after 'mstd'" }
                std = number > 100 ? .infinity : number
            case "inc":
                // Versions of timm differ in what other numbers mean.
                guard whole == 1 else { return "'inc1' expected; leave it out for the other set" }
                increasing = true
            case "p":
                guard let number, (0...1).contains(number) else { return "a probability expected after 'p'" }
                probability = number
            case "mmax":
                guard let whole, (0...100).contains(whole) else { return "a whole level expected after 'mmax'" }
                limit = Double(whole)
            case "w": return "operations cannot be weighted here; leave it out"
            default: return "one of m, n, mstd, inc, p, mmax expected"
            }
            return nil
        }
    }
}
