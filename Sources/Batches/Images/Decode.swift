import CImage
public import Kernels

/// Limits and choices of decoding.
public struct DecodeOptions: Equatable, Sendable {
    /// Pixels that a header may claim.
    public var pixelLimit = 100_000_000
    /// Scans of a progressive file; encoders write about ten.
    public var scanLimit = 100
    public var secondsLimit = 10.0
    /// Memory that a file with many scans may take besides its pixels.
    public var workingBytesLimit = 256 << 20
    /// Take files that end early or hold wrong codes; what cannot be read is grey.
    public var acceptsDamage = false
    /// Turn the image as its EXIF tag says; the reference pipelines ignore the tag.
    public var appliesOrientation = false

    public init() {}
}

/// What the header of a JPEG file says.
public struct JPEGHeader: Equatable, Sendable {
    public let height, width, components: Int
    public let isProgressive, isArithmetic: Bool
    /// The EXIF orientation, 1...8; 1 is upright.
    public let orientation: Int

    /// Reads the header of `file`, the whole content of the file at `path`.
    public init(_ file: Bytes, path: String) throws(SampleError) {
        guard FileKind(file) == .jpeg else { throw SampleError(path: path, reason: FileKind(file).refusal) }
        var header = ci_header()
        var report = ci_report()
        guard unsafe ci_jpeg_peek(file.pointer, file.count, &header, &report) == 0 else {
            throw SampleError(path: path, reason: report.text)
        }
        (height, width, components) = (Int(header.height), Int(header.width), Int(header.components))
        (isProgressive, isArithmetic) = (header.progressive != 0, header.arithmetic != 0)
        orientation = Int(header.orientation)
    }
}

extension Image {
    /// Reads `file`, the whole content of the JPEG or PNG file at `path`. JPEG goes through libjpeg-turbo with its
    /// defaults: grey becomes RGB, four inks are taken as Adobe-inverted. Returns the number of the library's warnings.
    @discardableResult
    public mutating func decode(
        _ file: Bytes, path: String, _ options: DecodeOptions = DecodeOptions()
    ) throws(SampleError) -> Int {
        if FileKind(file) == .png && !FileKind.isNamedJPEG(path) {
            try decodePNG(file, path: path, options)
            return 0
        }
        let header = try JPEGHeader(file, path: path)
        if let reason = options.refusal(of: header, bytes: file.count) { throw SampleError(path: path, reason: reason) }
        reshape(height: header.height, width: header.width)
        var limits = ci_limits(
            scans: Int32(options.scanLimit), seconds: options.secondsLimit, memory_bytes: options.workingBytesLimit)
        var report = ci_report()
        guard unsafe ci_jpeg_decode(file.pointer, file.count, &limits, bytes.pointer, &report) == 0,
            report.damages == 0 || options.acceptsDamage
        else { throw SampleError(path: path, reason: report.text) }
        if options.appliesOrientation && header.orientation != 1 { orient(header.orientation) }
        return Int(report.warnings)
    }

    /// Turns an image stored with EXIF orientation 1...8 upright.
    package mutating func orient(_ orientation: Int) {
        let (height, width) = (self.height, self.width)
        let isTransposed = orientation >= 5
        replace(height: isTransposed ? width : height, width: isTransposed ? height : width) { from, to in
            unsafe ci_orient(from.pointer, to.pointer, height, width, Int32(orientation))
        }
    }

    /// Mirrors the columns.
    public mutating func mirror() {
        unsafe ci_mirror(bytes.pointer, height, width)
    }
}

extension DecodeOptions {
    /// A Huffman code spends at least one bit on each block, and no sampling makes a block stand for more pixels than this.
    private static let pixelsPerByte = 1024

    fileprivate func refusal(of header: JPEGHeader, bytes: Int) -> String? {
        if let reason = refusal(height: header.height, width: header.width) { return reason }
        if !acceptsDamage && !header.isArithmetic && header.height * header.width / Self.pixelsPerByte > bytes {
            return "header claims \(header.width) × \(header.height) pixels, \(bytes) bytes cannot hold them"
        }
        return nil
    }

    /// Why an image of this size is not read.
    func refusal(height: Int, width: Int) -> String? {
        let pixels = height.multipliedReportingOverflow(by: width)
        if !pixels.overflow && pixels.partialValue <= pixelLimit { return nil }
        return "header claims \(width) × \(height) pixels, the limit is \(pixelLimit)"
    }
}

extension ci_report {
    fileprivate var text: String {
        var copy = message
        return unsafe withUnsafeBytes(of: &copy) { bytes in
            unsafe String(decoding: bytes.prefix { byte in byte != 0 }, as: UTF8.self)
        }
    }
}

/// The face of the C loops over pixels. Counts are checked here, once per pass.
package enum PixelLoops {
    /// Bytes that a resize may read past the last pixel of its input.
    package static let slack = Int(ci_slack)

    /// The horizontal pass over `rows` rows of `stride` bytes, the first at `from`; writes rows × axis.outputs pixels.
    package static func resampleColumns(
        _ from: Bytes, stride: Int, rows: Int, _ axis: borrowing ResizeAxis, into to: Bytes, packed: Buffer<Int16>
    ) {
        precondition(to.count >= rows * axis.outputs * 3 && packed.count >= axis.packedCount, "too little room")
        precondition(from.count >= (rows - 1) * stride + axis.inputs * 3, "rows outside the image")
        var raw = unsafe axis.raw
        unsafe ci_resample_columns(from.pointer, stride, to.pointer, rows, &raw, packed.pointer)
    }

    /// The same in plain C: the reference of the tests and the path of other processors.
    package static func resampleColumnsPlainly(
        _ from: Bytes, stride: Int, rows: Int, _ axis: borrowing ResizeAxis, into to: Bytes
    ) {
        precondition(to.count >= rows * axis.outputs * 3, "too little room")
        precondition(from.count >= (rows - 1) * stride + axis.inputs * 3, "rows outside the image")
        var raw = unsafe axis.raw
        unsafe ci_resample_columns_plain(from.pointer, stride, to.pointer, rows, &raw)
    }

    /// The vertical pass; writes axis.outputs rows of `rowBytes` bytes.
    static func resampleRows(
        _ from: Bytes, stride: Int, rowBytes: Int, _ axis: borrowing ResizeAxis, into to: Bytes
    ) {
        precondition(to.count >= axis.outputs * rowBytes, "too little room")
        precondition(from.count >= (axis.inputs - 1) * stride + rowBytes, "rows outside the image")
        var raw = unsafe axis.raw
        unsafe ci_resample_rows(from.pointer, stride, to.pointer, rowBytes, &raw)
    }

    /// Undoes the filter of a PNG row in place; false for an unknown filter.
    /// - Parameters:
    ///   - above: the finished row before it; zeros for the first.
    ///   - step: bytes of a pixel, at least one.
    package static func unfilter(_ row: Bytes, _ filter: UInt8, above: Bytes, step: Int) -> Bool {
        precondition(above.count == row.count && row.count % step == 0, "counts differ")
        return unsafe ci_png_unfilter(Int32(filter), row.pointer, above.pointer, row.count, step) == 1
    }

    /// Writes a PNG row: the number of the filter that leaves the smallest bytes, then what it leaves.
    package static func filter(_ row: Bytes, above: Bytes, step: Int, into filtered: Bytes) {
        precondition(above.count == row.count && filtered.count == row.count + 1, "counts differ")
        unsafe ci_png_filter(row.pointer, above.pointer, filtered.pointer, row.count, step)
    }

    /// Writes pixels of one channel of `depth` bits, 1, 2, 4 or 8, one every `pixelBits` bits, in the colour of their
    /// level. Returns the largest level.
    static func lookUp(_ row: Bytes, depth: Int, pixelBits: Int, _ colours: Bytes, into rgb: Bytes) -> Int {
        let width = rgb.count / 3
        precondition(row.count * 8 >= width * pixelBits && colours.count == 768, "counts differ")
        return unsafe Int(ci_png_look_up(row.pointer, colours.pointer, rgb.pointer, width, depth, pixelBits))
    }

    /// Takes the first byte of each of the first three samples of a pixel.
    static func take(_ row: Bytes, pixelBytes: Int, sampleBytes: Int, into rgb: Bytes) {
        let width = rgb.count / 3
        precondition(row.count >= width * pixelBytes && pixelBytes >= 3 * sampleBytes, "counts differ")
        unsafe ci_png_take(row.pointer, rgb.pointer, width, pixelBytes, sampleBytes)
    }

    /// floats[i] = table[i mod 3][bytes[i]]; table: 3 × 256.
    static func lookUp(_ bytes: Bytes, _ table: Floats, into floats: Floats) {
        precondition(bytes.count == floats.count && bytes.count % 3 == 0 && table.count == 768, "counts differ")
        unsafe ci_look_up(bytes.pointer, table.pointer, floats.pointer, bytes.count / 3)
    }
}

extension ResizeAxis {
    @unsafe fileprivate var raw: ci_axis {
        unsafe ci_axis(
            first: first.pointer, taps: taps.pointer, weights: weights.pointer, stride: stride, outputs: outputs)
    }
}
