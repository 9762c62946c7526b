/// Bytes that the images of a set take as tokens, by arithmetic alone.
public struct TokenStorage: Sendable, Equatable {
    /// One way to store the ids of an image.
    public struct Form: Sendable, Equatable {
        public let name: String
        public let bytesPerImage: Double
    }

    /// n and K.
    public let side, codes: Int
    public let forms: [Form]

    /// ImageNet-1k: images, and bytes of its training set as JPEG files. Source: arXiv 2303.11114.
    public static let imageNetImages = 1_281_167
    public static let imageNetBytes = 140e9

    public init(side: Int, codes: Int) {
        (self.side, self.codes) = (side, codes)
        let ids = side * side
        let packing = PackedIDs(count: ids, codes: codes)
        var forms = [Form(name: "packed, \(packing.bits) bits an id", bytesPerImage: Double(packing.bytes))]
        if codes <= EscapeCode.codes {
            // Numbers by falling frequency make the second byte rare; in even use it is as frequent as here.
            let even = Double(max(codes - 255, 0)) / Double(codes)
            forms.append(Form(name: "published, all ids below 255", bytesPerImage: Double(ids)))
            if even > 0 {
                forms.append(
                    Form(name: "published, all codes in even use", bytesPerImage: Double(ids) * (1 + even)))
            }
        }
        self.forms = forms
    }
}
