import CImage
package import Kernels

/// The face of libjpeg-turbo, with its defaults: grey becomes RGB, four inks are taken as Adobe-inverted.
package enum JPEGDecoder {
    /// - Parameters:
    ///   - file: the whole content of the file at `path`.
    ///   - path: for messages.
    package static func header(of file: Bytes, path: String) throws(SampleError) -> JPEGHeader {
        guard FileKind(file) == .jpeg else { throw SampleError(path: path, reason: FileKind(file).refusal) }
        var header = ci_header()
        var report = ci_report()
        guard unsafe ci_jpeg_peek(file.pointer, file.count, &header, &report) == 0 else {
            throw SampleError(path: path, reason: text(of: report))
        }
        return JPEGHeader(
            height: Int(header.height), width: Int(header.width), components: Int(header.components),
            isProgressive: header.progressive != 0, isArithmetic: header.arithmetic != 0)
    }

    /// Writes the pixels of `file`, as many as its header says.
    /// - Returns: the number of the library's warnings.
    static func decode(
        _ file: Bytes, path: String, _ options: DecodeOptions, into pixels: Bytes
    ) throws(SampleError) -> Int {
        var limits = ci_limits(
            scans: Int32(options.scanLimit), seconds: options.secondsLimit, memory_bytes: options.workingBytesLimit)
        var report = ci_report()
        guard unsafe ci_jpeg_decode(file.pointer, file.count, &limits, pixels.pointer, &report) == 0,
            report.damages == 0
        else { throw SampleError(path: path, reason: text(of: report)) }
        return Int(report.warnings)
    }

    private static func text(of report: ci_report) -> String {
        var message = report.message
        return unsafe withUnsafeBytes(of: &message) { bytes in
            unsafe String(decoding: bytes.prefix { byte in byte != 0 }, as: UTF8.self)
        }
    }
}
