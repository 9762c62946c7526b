import CImage
package import Kernels

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
        var raw = unsafe raw(axis)
        unsafe ci_resample_columns(from.pointer, stride, to.pointer, rows, &raw, packed.pointer)
    }

    /// The same in plain C: the reference of the tests and the path of other processors.
    package static func resampleColumnsPlainly(
        _ from: Bytes, stride: Int, rows: Int, _ axis: borrowing ResizeAxis, into to: Bytes
    ) {
        precondition(to.count >= rows * axis.outputs * 3, "too little room")
        precondition(from.count >= (rows - 1) * stride + axis.inputs * 3, "rows outside the image")
        var raw = unsafe raw(axis)
        unsafe ci_resample_columns_plain(from.pointer, stride, to.pointer, rows, &raw)
    }

    /// The vertical pass; writes axis.outputs rows of `rowBytes` bytes.
    static func resampleRows(
        _ from: Bytes, stride: Int, rowBytes: Int, _ axis: borrowing ResizeAxis, into to: Bytes
    ) {
        precondition(to.count >= axis.outputs * rowBytes, "too little room")
        precondition(from.count >= (axis.inputs - 1) * stride + rowBytes, "rows outside the image")
        var raw = unsafe raw(axis)
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

    /// Turns an image stored with EXIF orientation 1...8 upright; `height` and `width` are those of `from`.
    static func orient(_ from: Bytes, into to: Bytes, height: Int, width: Int, _ orientation: Int) {
        precondition(from.count == height * width * 3 && to.count == from.count, "images of one count")
        unsafe ci_orient(from.pointer, to.pointer, height, width, Int32(orientation))
    }

    /// Mirrors the columns.
    static func mirror(_ pixels: Bytes, height: Int, width: Int) {
        precondition(pixels.count == height * width * 3, "as many bytes as pixels and channels")
        unsafe ci_mirror(pixels.pointer, height, width)
    }

    @unsafe private static func raw(_ axis: borrowing ResizeAxis) -> ci_axis {
        unsafe ci_axis(
            first: axis.first.pointer, taps: axis.taps.pointer, weights: axis.weights.pointer, stride: axis.stride,
            outputs: axis.outputs)
    }
}
