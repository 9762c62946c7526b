/// A type read from the raw text of one scalar. The schema decides the type; quotes make text, never a number.
package protocol Scalar: Sendable {
    /// What an error says was expected.
    static var expected: String { get }
    /// Name of the type in a JSON Schema.
    static var schemaName: String { get }
    /// Takes the place of a value that could not be read, so that the rest of the recipe is still looked at.
    static var standIn: Self { get }
    /// The value, or nil if the text is none.
    init?(text: String, isPlain: Bool)
}

extension Bool: Scalar {
    package static var expected: String { "true or false" }
    package static var schemaName: String { "boolean" }
    package static var standIn: Bool { false }

    package init?(text: String, isPlain: Bool) {
        guard isPlain, text == "true" || text == "false" else { return nil }
        self = text == "true"
    }
}

extension String: Scalar {
    package static var expected: String { "text" }
    package static var schemaName: String { "string" }
    package static var standIn: String { "" }

    package init?(text: String, isPlain: Bool) {
        if isPlain, text.isEmpty { return nil }
        self = text
    }
}

extension Int: Scalar {
    package static var expected: String { "a whole number" }
    package static var schemaName: String { "integer" }
    package static var standIn: Int { 0 }

    package init?(text: String, isPlain: Bool) {
        guard isPlain, PlainNumber(text)?.isWhole == true, let value = Int(text) else { return nil }
        self = value
    }
}

extension UInt64: Scalar {
    package static var expected: String { "a whole number, 0 or more" }
    package static var schemaName: String { "integer" }
    package static var standIn: UInt64 { 0 }

    package init?(text: String, isPlain: Bool) {
        guard isPlain, PlainNumber(text)?.isWhole == true, let value = UInt64(text) else { return nil }
        self = value
    }
}

extension Double: Scalar {
    package static var expected: String { "a number" }
    package static var schemaName: String { "number" }
    package static var standIn: Double { 0 }

    package init?(text: String, isPlain: Bool) {
        guard isPlain, let number = PlainNumber(text), let value = Double(number.swiftText), value.isFinite else {
            return nil
        }
        self = value
    }
}

extension Float: Scalar {
    package static var expected: String { "a number" }
    package static var schemaName: String { "number" }
    package static var standIn: Float { 0 }

    package init?(text: String, isPlain: Bool) {
        guard let value = Double(text: text, isPlain: isPlain), Float(value).isFinite else { return nil }
        self = Float(value)
    }
}

/// Plain decimal: `12`, `-0.5`, `.5`, `1e-4`, `1.e-4`.
/// YAML 1.1 reads `017` as 15 and `1:30` as 90; here these, `0x1F`, `1_000` and `.inf` are no numbers.
struct PlainNumber {
    let isWhole: Bool
    /// The same number as `Double.init(_: String)` reads it.
    let swiftText: String

    init?(_ text: String) {
        guard let match = text.wholeMatch(of: /([-+]?)(0|[1-9][0-9]*)?(\.([0-9]*))?([eE][-+]?[0-9]+)?/) else {
            return nil
        }
        let whole = match.output.2 ?? ""
        let fraction = match.output.4 ?? ""
        guard !whole.isEmpty || !fraction.isEmpty else { return nil }
        isWhole = match.output.3 == nil && match.output.5 == nil
        let point = fraction.isEmpty ? "" : ".\(fraction)"
        swiftText = "\(match.output.1)\(whole.isEmpty ? "0" : whole)\(point)\(match.output.5 ?? "")"
    }

    /// Why a text that a YAML 1.1 reader takes for a number is refused here.
    static func hint(for node: RecipeNode) -> String? {
        guard case .scalar(let text, let isPlain) = node.content else { return nil }
        if !isPlain { return PlainNumber(text) == nil ? nil : "write it without quotes" }
        if text.contains("_") { return "write it without underscores" }
        if text.wholeMatch(of: /[-+]?0[0-9]+/) != nil { return "write it without leading zeros" }
        if text.contains(":") || text.hasPrefix("0x") || text.hasPrefix("0o") { return "write a plain decimal" }
        if PlainNumber(text)?.isWhole == false { return "write it without a point or an exponent" }
        return nil
    }
}
