public import Kernels
public import Recipes

/// (v / 255 - mean) / std per channel, in Float as the references do it. There are only 256 bytes, so it is a table.
public struct Normalisation: Sendable {
    public let mean, std: [Double]
    private let table: Floats

    /// - Parameters: Mean and standard deviation of red, green and blue on the scale 0...1.
    public init(mean: [Double], std: [Double]) {
        precondition(mean.count == 3 && std.count == 3, "one mean and one standard deviation per channel")
        self.mean = mean
        self.std = std
        table = Floats(
            (0..<3).flatMap { channel in
                (0..<256).map { (Float($0) / 255 - Float(mean[channel])) / Float(std[channel]) }
            })
    }

    public init(_ settings: Recipe.Normalize) { self.init(mean: settings.mean, std: settings.std) }

    /// Writes the image as floats, (H, W, 3).
    public func apply(_ image: borrowing Image, into floats: Floats) {
        PixelLoops.lookUp(image.bytes, table, into: floats)
    }

    /// The image that `apply` made these floats from; values beyond black and white are cut off.
    public func restore(_ floats: Floats, height: Int, width: Int) -> Image {
        precondition(floats.count == height * width * 3, "as many floats as pixels and channels")
        var image = Image()
        image.reshape(height: height, width: width)
        let bytes = image.bytes
        for index in 0..<floats.count {
            let value = (Double(floats[index]) * std[index % 3] + mean[index % 3]) * 255
            // Weights that are not finite predict pixels that are not numbers.
            bytes[index] = value.isFinite ? UInt8(min(max(value.rounded(), 0), 255)) : 0
        }
        return image
    }
}
