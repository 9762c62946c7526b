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

    /// Limits of a box inside an image: its share of the area, and its width over its height.
    func requireBox(minimumArea: Double, maximumArea: Double, minimumRatio: Double, maximumRatio: Double) {
        require(minimumArea > 0, at: "minimum_area", "more than 0 expected, found \(minimumArea)")
        require(maximumArea <= 1, at: "maximum_area", "at most 1 expected, found \(maximumArea)")
        require(
            minimumArea <= maximumArea, at: "minimum_area", reading: ["maximum_area"],
            "\(minimumArea) is more than maximum_area \(maximumArea)")
        require(minimumRatio > 0, at: "minimum_ratio", "more than 0 expected, found \(minimumRatio)")
        require(
            minimumRatio <= maximumRatio, at: "minimum_ratio", reading: ["maximum_ratio"],
            "\(minimumRatio) is more than maximum_ratio \(maximumRatio)")
    }
}
