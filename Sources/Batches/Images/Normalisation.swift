public import Kernels

/// (v / 255 - mean) / deviation per channel, in Float as the references do it. There are only 256 bytes, so it is a table.
public struct Normalisation: Sendable {
    public let mean, deviation: [Double]
    private let table: Floats

    /// - Parameters: mean and deviation of red, green and blue on the scale 0...1.
    public init(mean: [Double], deviation: [Double]) {
        precondition(mean.count == 3 && deviation.count == 3, "one mean and one deviation per channel")
        self.mean = mean
        self.deviation = deviation
        table = Floats(
            (0..<3).flatMap { channel in
                (0..<256).map { (Float($0) / 255 - Float(mean[channel])) / Float(deviation[channel]) }
            })
    }

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
            let value = (Double(floats[index]) * deviation[index % 3] + mean[index % 3]) * 255
            // Weights that are not finite predict pixels that are none.
            bytes[index] = value.isFinite ? UInt8(min(max(value.rounded(), 0), 255)) : 0
        }
        return image
    }

    public static let imageNet = Normalisation(mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225])
    public static let cifar10 = Normalisation(mean: [0.4914, 0.4822, 0.4465], deviation: [0.2023, 0.1994, 0.2010])
    public static let cifar100 = Normalisation(mean: [0.5071, 0.4867, 0.4408], deviation: [0.2675, 0.2565, 0.2761])
}
