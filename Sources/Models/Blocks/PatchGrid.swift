/// How an image is cut into patches; images and patches may be rectangular.
public struct PatchGrid: Sendable, Equatable {
    /// Patches down and across.
    public let rows, columns: Int
    /// Pixels of a patch.
    public let height, width: Int
    public let channels: Int

    public init(rows: Int, columns: Int, height: Int, width: Int, channels: Int = 3) {
        (self.rows, self.columns, self.height, self.width) = (rows, columns, height, width)
        self.channels = channels
    }

    /// A square image in square patches.
    init(_ image: ImageSpec, patch: Int) throws(ModelError) {
        guard patch > 0, image.side > 0, image.side % patch == 0 else {
            throw ModelError(
                "model.patch", found: "\(patch)", expected: "a divisor of the image side \(image.side)",
                hint: "change the patch or the crop")
        }
        let side = image.side / patch
        self.init(rows: side, columns: side, height: patch, width: patch, channels: image.channels)
    }

    public var count: Int { rows * columns }
    /// Numbers of a patch.
    var floats: Int { height * width * channels }
    /// The same as a square grid of features.
    func features(width: Int) -> FeatureGrid { FeatureGrid(side: rows, stride: height, width: width) }
}
