import Batches
import CTestJPEG
import Kernels

/// A JPEG file made for a test.
struct JPEGFile {
    let bytes: [UInt8]

    /// Encodes `pixels`, height × width × channels.
    init(_ pixels: [UInt8], height: Int, width: Int, _ change: (inout ctj_settings) -> Void = { _ in }) {
        var settings = ctj_settings()
        (settings.quality, settings.horizontal, settings.vertical, settings.channels) = (90, 1, 1, 3)
        change(&settings)
        var room = [UInt8](repeating: 0, count: 65_536 + 8 * pixels.count)
        let count = ctj_encode(pixels, height, width, &settings, &room, room.count)
        precondition(count > 0, "the encoder refused the settings")
        bytes = Array(room[..<count])
    }

    /// What the library's plain calls make of the file.
    func reference(height: Int, width: Int) -> [UInt8] {
        var rgb = [UInt8](repeating: 0, count: height * width * 3)
        precondition(ctj_decode(bytes, bytes.count, &rgb) == 1, "the library refused the file")
        return rgb
    }

    /// A smooth image with some detail, so that codes of many lengths occur.
    static func pattern(height: Int, width: Int, channels: Int = 3) -> [UInt8] {
        (0..<height * width * channels).map { index in
            let (y, x, c) = (index / channels / width, index / channels % width, index % channels)
            return UInt8((x * 3 + y * 2 + c * 40 + (x * y) % 23) % 256)
        }
    }

    /// The file with an EXIF segment that says `orientation`, in either byte order.
    func oriented(_ orientation: UInt8) -> [UInt8] {
        let tiff: [UInt8] =
            [0x49, 0x49, 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0]
        let segment = Array("Exif\0\0".utf8) + tiff
        return bytes[..<2] + [0xFF, 0xE1, 0, UInt8(segment.count + 2)] + segment + bytes[2...]
    }

    /// The file with other extents in its frame header.
    func claiming(height: Int, width: Int) -> [UInt8] {
        var bytes = bytes
        let frame = bytes.indices.first { bytes[$0] == 0xFF && (0xC0...0xC2).contains(bytes[$0 + 1]) } ?? 0
        bytes.replaceSubrange(
            frame + 5..<frame + 9,
            with: [UInt8(height >> 8), UInt8(height & 255), UInt8(width >> 8), UInt8(width & 255)])
        return bytes
    }
}

/// Decodes bytes that stand for the file "a.jpg".
func decoded(_ file: [UInt8], _ options: DecodeOptions = DecodeOptions()) throws(SampleError) -> Image {
    var image = Image()
    try image.decode(Bytes(file), path: "a.jpg", options)
    return image
}

/// The reason for which a file is refused; nil if it is not.
func refusal(_ file: [UInt8], _ options: DecodeOptions = DecodeOptions()) -> String? {
    do {
        _ = try decoded(file, options)
        return nil
    } catch { return error.reason }
}
