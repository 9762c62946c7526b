public import Kernels
public import Recipes

/// A random square of the image after a border is added around it: CIFAR's pad-4 crop, the simple random crop of
/// DeiT III (border of 4 reflected pixels), or a plain crop with no border.
public struct RandomCrop: Augmentation, ImageAugmentation, Equatable {
    public static let key = "images.random_crop"
    public static let meaning =
        "A random square without scaling; absent: random_resized_crop, or the whole image is resized."

    public struct Settings: RecipeSection {
        public let shortEdge: Int?
        public let padding: Int
        public let border: Border
        public let interpolation: Resizing.Filter

        public static let defaults = ["padding": "0", "border": "zero"]
        public static let meanings = [
            "short_edge": "Pixels that the short edge is resized to before; absent: not resized.",
            "padding": "Pixels added on each side before.",
            "border": "What is added: zeros, or the image reflected.",
            "interpolation": "Filter of the resize, also that of evaluations.",
        ]

        public func check(_ here: Here) {
            if let shortEdge {
                here.require((1...4096).contains(shortEdge), at: "short_edge", "1 to 4096 expected, found \(shortEdge)")
            }
            here.require((0...4096).contains(padding), at: "padding", "0 to 4096 expected, found \(padding)")
        }
    }

    public static func check(_ settings: Settings, _ recipe: Recipe, _ here: Here) {
        here.require(
            !recipe.has(RandomResizedCrop.key), at: "random_crop", reading: ["random_resized_crop"],
            "random_resized_crop is given too; keep one")
        guard let edge = settings.shortEdge else { return }
        here.require(
            edge + 2 * settings.padding >= recipe.images.size, at: "random_crop.short_edge",
            reading: ["size", "random_crop.padding"],
            "\(edge) pixels with a border of \(settings.padding) are less than the input's \(recipe.images.size)")
    }

    public static func join(_ transform: inout ImageTransform, _ settings: Settings, _ recipe: Recipe) {
        if let edge = settings.shortEdge {
            transform.steps.append(Resizing(.shortEdge(edge), settings.interpolation.interpolation))
        }
        transform.steps.append(
            RandomCrop(size: recipe.images.size, padding: settings.padding, border: settings.border))
    }

    public static func resizing(_ settings: Settings) -> Interpolation? { settings.interpolation.interpolation }

    /// The content of the border.
    public enum Border: String, CaseIterable, Decodable, Sendable { case zero, reflect }

    /// Side of the result in pixels.
    public let size: Int
    /// Pixels added on each side.
    public let padding: Int
    public let border: Border

    public init(size: Int, padding: Int = 0, border: Border = .zero) {
        precondition(size > 0 && padding >= 0, "size is positive, padding not negative")
        self.size = size
        self.padding = padding
        self.border = border
    }

    public var purpose: Purpose? { .crop }

    /// An image that is too small stays as it is; the loader says so.
    public func apply(_ image: inout Image, _ random: inout RandomStream) {
        let (height, width) = (image.height + 2 * padding, image.width + 2 * padding)
        guard height >= size && width >= size else { return }
        let top = random.below(height - size + 1), left = random.below(width - size + 1)
        image.window(top: top - padding, left: left - padding, height: size, width: size, border: border)
    }
}

extension Image {
    /// Becomes a window of this image that may reach beyond it.
    public mutating func window(
        top: Int, left: Int, height: Int, width: Int, border: RandomCrop.Border = .zero
    ) {
        let (oldHeight, oldWidth) = (self.height, self.width)
        let columns = max(0, left)..<max(0, left, min(oldWidth, left + width))
        replace(height: height, width: width) { from, to in
            if border == .zero { to.fill(0) }
            for y in 0..<height {
                let row = border == .zero ? top + y : reflected(top + y, oldHeight)
                guard row >= 0, row < oldHeight else { continue }
                let line = to[y * width * 3..<(y + 1) * width * 3]
                if !columns.isEmpty {
                    let source = from[
                        (row * oldWidth + columns.lowerBound) * 3..<(row * oldWidth + columns.upperBound) * 3]
                    let start = (columns.lowerBound - left) * 3
                    line[start..<start + source.count].copy(from: source)
                }
                guard border == .reflect else { continue }
                for x in 0..<width where !columns.contains(left + x) {
                    let column = reflected(left + x, oldWidth)
                    for channel in 0..<3 { line[x * 3 + channel] = from[(row * oldWidth + column) * 3 + channel] }
                }
            }
        }
    }
}

/// The place that lies as far inside as `place` lies outside; the edge itself is not repeated.
private func reflected(_ place: Int, _ extent: Int) -> Int {
    guard extent > 1 else { return 0 }
    let period = 2 * (extent - 1), rest = (place % period + period) % period
    return min(rest, period - rest)
}
