public import Kernels

/// An 8-bit RGB image, (H, W, 3) row-major, in storage that is used again for the next image: a loader thread
/// owns one image and reads, crops and resizes all its samples in it without allocating for each.
public struct Image: ~Copyable, Sendable {
    public private(set) var height = 0
    public private(set) var width = 0
    private var current = Bytes(zeros: 0)
    private var spare = Bytes(zeros: 0)
    var resizing = ResizeScratch()
    let point = PointScratch()
    let loops = ImageLoops()

    public init() {}

    /// A copy of `bytes`, height × width × 3.
    public init(height: Int, width: Int, bytes: Bytes) {
        reshape(height: height, width: width)
        self.bytes.copy(from: bytes)
    }

    /// The pixels, valid until the next change of size.
    public var bytes: Bytes { current[0..<height * width * 3] }

    /// Makes room for another image, whose pixels the caller writes.
    public mutating func reshape(height: Int, width: Int) {
        precondition(height >= 0 && width >= 0, "an image has no negative extent")
        current.makeRoom(for: height * width * 3 + PixelLoops.slack)
        self.height = height
        self.width = width
    }

    /// Becomes another image that `body` writes from this one. `from` has `PixelLoops.slack` readable bytes more.
    mutating func replace(height: Int, width: Int, _ body: (_ from: Bytes, _ to: Bytes) -> Void) {
        spare.makeRoom(for: height * width * 3 + PixelLoops.slack)
        body(bytes, spare[0..<height * width * 3])
        swap(&current, &spare)
        self.height = height
        self.width = width
    }
}

extension Image {
    /// Takes over a grey image, one byte a pixel, by repeating it in all three channels.
    mutating func fillGrey(from grey: Bytes, height: Int, width: Int, level: (UInt8) -> UInt8 = { $0 }) {
        precondition(grey.count == height * width, "as many bytes as pixels")
        reshape(height: height, width: width)
        let pixels = bytes
        for pixel in 0..<grey.count {
            let value = level(grey[pixel])
            pixels[3 * pixel] = value
            pixels[3 * pixel + 1] = value
            pixels[3 * pixel + 2] = value
        }
    }

    /// Takes over an image stored as a red, a green and a blue plane.
    mutating func fill(fromPlanes planes: Bytes, height: Int, width: Int) {
        let plane = height * width
        precondition(planes.count == 3 * plane, "three planes")
        reshape(height: height, width: width)
        let pixels = bytes
        for pixel in 0..<plane {
            for channel in 0..<3 { pixels[3 * pixel + channel] = planes[channel * plane + pixel] }
        }
    }

    /// Turns an image stored with EXIF orientation 1...8 upright.
    package mutating func orient(_ orientation: Int) {
        let (height, width) = (self.height, self.width)
        let isTransposed = orientation >= 5
        replace(height: isTransposed ? width : height, width: isTransposed ? height : width) { from, to in
            PixelLoops.orient(from, into: to, height: height, width: width, orientation)
        }
    }

    /// Mirrors the columns.
    public mutating func mirror() { PixelLoops.mirror(bytes, height: height, width: width) }
}

/// A rectangle of pixels.
public struct Box: Equatable, Sendable {
    public var top, left, height, width: Int

    public init(top: Int, left: Int, height: Int, width: Int) {
        self.top = top
        self.left = left
        self.height = height
        self.width = width
    }
}

extension Buffer {
    /// Grows to at least `count` elements, whose values are then undefined. Memory that a rare giant took is given
    /// back when an ordinary sample follows.
    mutating func makeRoom(for count: Int) {
        let bytes = self.count * MemoryLayout<Element>.stride
        let isOversized = bytes > 64 << 20 && self.count / 4 > count
        if self.count < count || isOversized { self = Buffer(zeros: count) }
    }
}
