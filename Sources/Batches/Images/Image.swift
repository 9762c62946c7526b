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
