/// timm's text for a RandAugment policy, as in `rand-m9-mstd0.5-inc1`: after `rand` the parts m (mean level), n
/// (operations of an image), mstd (deviation of the level, above 100: uniform levels), inc1 (the increasing set), p
/// (probability of an operation), mmax (highest level). Source: timm, `rand_augment_transform`.
public struct RandAugmentText: Sendable, Equatable {
    public private(set) var magnitude = 10
    public private(set) var operations = 2
    /// Infinite: levels are uniform in 0 to `magnitude`.
    public private(set) var deviation = 0.0
    public private(set) var increasing = false
    public private(set) var probability = 0.5
    public private(set) var limit = 10
    /// What is wrong with the text; nil for a policy.
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
            magnitude = whole
        case "n":
            guard let whole, (1...100).contains(whole) else { return "a number of operations expected after 'n'" }
            operations = whole
        case "mstd":
            guard let number, number >= 0 else { return "a deviation expected after 'mstd'" }
            deviation = number > 100 ? .infinity : number
        case "inc":
            // Versions of timm differ in what other numbers mean.
            guard whole == 1 else { return "'inc1' expected; leave it out for the other set" }
            increasing = true
        case "p":
            guard let number, (0...1).contains(number) else { return "a probability expected after 'p'" }
            probability = number
        case "mmax":
            guard let whole, (0...100).contains(whole) else { return "a whole level expected after 'mmax'" }
            limit = whole
        case "w": return "operations cannot be weighted here; leave it out"
        default: return "one of m, n, mstd, inc, p, mmax expected"
        }
        return nil
    }
}
