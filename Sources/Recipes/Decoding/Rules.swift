/// Rules that many sections have.
extension Here {
    /// Whole numbers of at least 1, by key; nil for one that was left out.
    public func requirePositive(_ numbers: KeyValuePairs<String, Int?>) {
        for case let (key, value?) in numbers {
            require(value >= 1, at: key, "at least 1 expected, found \(value)")
        }
    }

    /// Probabilities, by key; nil for one that was left out.
    public func requireProbability(_ shares: KeyValuePairs<String, Double?>) {
        for case let (key, value?) in shares {
            require((0...1).contains(value), at: key, "a probability, 0 to 1, expected, found \(value)")
        }
    }

    /// Probabilities of which one happens at most, by key.
    public func requireShares(_ shares: KeyValuePairs<String, Double>) {
        for (key, share) in shares { requireProbability([key: share]) }
        guard let last = shares.last else { return }
        let sum = shares.reduce(0) { $0 + $1.value }
        require(
            sum <= 1, at: last.key, reading: shares.dropLast().map { $0.key },
            "probabilities of \(sum) together, at most 1 expected")
    }

    /// `preset`, or every one of `own`; nil stands for a key that was left out.
    /// - Parameter optional: keys that may be missing without a preset too.
    public func require(
        preset: (some RawRepresentable<String>)?, or own: KeyValuePairs<String, Any?>, optional: Set<String> = []
    ) {
        for (key, value) in own {
            if let preset {
                require(value == nil, at: key, reading: ["preset"], "the preset '\(preset.rawValue)' sets it; keep one")
            } else if !optional.contains(key) {
                require(value != nil, at: "", reading: [key, "preset"], "missing key '\(key)', or a preset")
            }
        }
    }

    /// One of two keys, not both; nil stands for one that was left out.
    public func requireOne(of one: (key: String, value: Any?), or other: (key: String, value: Any?)) {
        require(
            one.value == nil || other.value == nil, at: one.key, reading: [other.key],
            "\(other.key) is given too; keep one")
        require(
            one.value != nil || other.value != nil, at: "", reading: [other.key, one.key],
            "missing key '\(other.key)' or '\(one.key)'")
    }

    /// A list of a smallest and a largest number, both above 0 and up to `limit`.
    public func requireRange(_ bounds: [Double], at key: String, upTo limit: Double? = nil) {
        let isRange = bounds.count == 2 && bounds[0] > 0 && bounds[0] <= bounds[1] && bounds[1] <= limit ?? .infinity
        let most = limit.map { ", at most \($0)" } ?? ""
        require(isRange, at: key, "two numbers above 0\(most) expected, the smaller one first, found \(bounds)")
    }
}
