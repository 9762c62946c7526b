public import Kernels

/// Limits of decoding.
public struct DecodeOptions: Equatable, Sendable {
    /// Pixels that a header may claim.
    public var pixelLimit = 100_000_000
    /// Scans of a progressive file; encoders write about ten.
    public var scanLimit = 100
    public var secondsLimit = 10.0
    /// Memory that a file with many scans may take besides its pixels.
    public var workingBytesLimit = 256 << 20

    public init() {}
}

/// The header of a JPEG file.
public struct JPEGHeader: Equatable, Sendable {
    public let height, width, components: Int
    public let isProgressive, isArithmetic: Bool
}

extension Image {
    /// Reads `file`, the whole content of the JPEG or PNG file at `path`. An EXIF orientation is ignored, as in the
    /// reference pipelines.
    /// - Returns: the number of the decoder's warnings.
    @discardableResult
    public mutating func decode(
        _ file: Bytes, path: String, _ options: DecodeOptions = DecodeOptions()
    ) throws(SampleError) -> Int {
        if FileKind(file) == .png && !FileKind.isNamedJPEG(path) {
            try decodePNG(file, path: path, options)
            return 0
        }
        let header = try JPEGDecoder.header(of: file, path: path)
        if let reason = options.refusal(of: header, bytes: file.count) { throw SampleError(path: path, reason: reason) }
        reshape(height: header.height, width: header.width)
        return try JPEGDecoder.decode(file, path: path, options, into: bytes)
    }
}

extension DecodeOptions {
    /// A Huffman code spends at least one bit on each block, and no sampling makes a block stand for more pixels than this.
    private static let pixelsPerByte = 1024

    fileprivate func refusal(of header: JPEGHeader, bytes: Int) -> String? {
        if let reason = refusal(height: header.height, width: header.width) { return reason }
        if !header.isArithmetic && header.height * header.width / Self.pixelsPerByte > bytes {
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
