import Kernels
import Platform

/// What is wrong with a PNG file.
struct PNGFault: Error {
    let reason: String
}

/// The header chunk of a PNG file and what follows from it.
struct PNGHeader {
    enum Colour: UInt8 {
        case grey = 0
        case rgb = 2
        case palette = 3
        case greyAlpha = 4
        case rgbAlpha = 6
    }

    let width, height, depth: Int
    let colour: Colour

    init(_ chunk: Bytes) throws(PNGFault) {
        guard chunk.count == 13 else { throw PNGFault(reason: "has a header of \(chunk.count) bytes, expected 13") }
        width = Int(chunk.bigEndian(at: 0))
        height = Int(chunk.bigEndian(at: 4))
        depth = Int(chunk[8])
        guard let colour = Colour(rawValue: chunk[9]), colour.depths.contains(depth) else {
            throw PNGFault(reason: "has colour type \(chunk[9]) with \(depth) bits, which PNG does not know")
        }
        self.colour = colour
        guard width > 0, height > 0 else { throw PNGFault(reason: "claims \(width) × \(height) pixels") }
        guard chunk[10] == 0, chunk[11] == 0 else { throw PNGFault(reason: "is packed by an unknown method") }
        guard chunk[12] == 0 else { throw PNGFault(reason: "is an interlaced PNG file, which is not supported") }
    }

    var channels: Int {
        switch colour {
        case .grey, .palette: 1
        case .greyAlpha: 2
        case .rgb: 3
        case .rgbAlpha: 4
        }
    }
    var rowBytes: Int { (width * channels * depth + 7) / 8 }
    /// Distance to the byte that filters call the left one.
    var pixelBytes: Int { max(1, channels * depth / 8) }
}

extension PNGHeader.Colour {
    fileprivate var depths: [Int] {
        switch self {
        case .grey: [1, 2, 4, 8, 16]
        case .palette: [1, 2, 4, 8]
        case .rgb, .greyAlpha, .rgbAlpha: [8, 16]
        }
    }
}

/// A PNG file taken apart: its chunks are found and checked, nothing is unpacked yet.
struct PNGFile {
    let header: PNGHeader
    private var palette = Bytes(zeros: 0)
    private var packed: [Bytes] = []

    init(_ file: Bytes) throws(PNGFault) {
        var position = pngSignature.count
        var header: PNGHeader?
        var isComplete = false
        while !isComplete {
            guard file.count - position >= 12 else { throw PNGFault(reason: "ends early") }
            let count = Int(file.bigEndian(at: position))
            guard file.count - position - 12 >= count else { throw PNGFault(reason: "ends early") }
            let kind = String(decoding: file[position + 4..<position + 8].array, as: UTF8.self)
            let content = file[position + 8..<position + 8 + count]
            guard crc32(file[position + 4..<position + 8 + count]) == file.bigEndian(at: position + 8 + count) else {
                throw PNGFault(reason: "has a damaged chunk '\(kind)'")
            }
            switch kind {
            case "IHDR": header = try PNGHeader(content)
            case "PLTE": palette = content
            case "IDAT": packed.append(content)
            case "IEND": isComplete = true
            default: break
            }
            position += 12 + count
        }
        guard let header else { throw PNGFault(reason: "has no header") }
        self.header = header
    }

    var packedBytes: Int { packed.reduce(0) { $0 + $1.count } }

    /// Unpacks all rows, each after its filter byte, and undoes the filters. What follows the packed rows is ignored.
    func rows() throws(PNGFault) -> Bytes {
        let rows = Bytes(zeros: header.height * (header.rowBytes + 1))
        do throws(UnpackingError) { _ = try unpack(stream, .zlib, into: rows) } catch {
            throw PNGFault(reason: "its packed rows: the stream \(error.reason)")
        }
        var above = Bytes(zeros: header.rowBytes)
        for y in 0..<header.height {
            let start = y * (header.rowBytes + 1)
            let row = rows[start + 1..<start + 1 + header.rowBytes]
            guard PixelLoops.unfilter(row, rows[start], above: above, step: header.pixelBytes) else {
                throw PNGFault(reason: "has a row with an unknown filter")
            }
            above = row
        }
        return rows
    }

    /// The packed rows in one piece.
    private var stream: Bytes {
        if packed.count == 1 { return packed[0] }
        let stream = Bytes(zeros: packedBytes)
        var position = 0
        for part in packed {
            stream[position..<position + part.count].copy(from: part)
            position += part.count
        }
        return stream
    }

    /// Writes the pixels of unpacked rows as RGB: alpha is dropped, 16 bits keep their high byte.
    func writeRGB(_ rows: Bytes, into rgb: Bytes) throws(PNGFault) {
        let depth = min(header.depth, 8), width = header.width
        let (colours, count) = self.colours(depth)
        for y in 0..<header.height {
            let row = rows[y * (header.rowBytes + 1) + 1..<(y + 1) * (header.rowBytes + 1)]
            let to = rgb[3 * y * width..<3 * (y + 1) * width]
            if header.channels >= 3 {
                PixelLoops.take(row, pixelBytes: header.pixelBytes, sampleBytes: header.depth / 8, into: to)
                continue
            }
            let pixelBits = header.channels * header.depth
            let largest = PixelLoops.lookUp(row, depth: depth, pixelBits: pixelBits, colours, into: to)
            guard largest < count else { throw PNGFault(reason: "uses colour \(largest) beyond its palette") }
        }
    }

    /// The colour of each level, 256 × 3, and how many there are: the palette, or greys from black to white.
    private func colours(_ depth: Int) -> (Bytes, Int) {
        let colours = Bytes(zeros: 768)
        if header.colour == .palette {
            let count = min(palette.count, colours.count)
            colours[0..<count].copy(from: palette[0..<count])
            return (colours, count / 3)
        }
        let last = 1 << depth - 1
        for index in 0...3 * last + 2 { colours[index] = UInt8(index / 3 * 255 / last) }
        return (colours, last + 1)
    }
}

extension Image {
    /// Reads `file`, the whole content of the PNG file at `path`.
    mutating func decodePNG(_ file: Bytes, path: String, _ options: DecodeOptions) throws(SampleError) {
        do throws(PNGFault) {
            let png = try PNGFile(file)
            if let reason = options.refusal(height: png.header.height, width: png.header.width) {
                throw PNGFault(reason: reason)
            }
            let unpacked = png.header.height * (png.header.rowBytes + 1)
            // Deflate makes at most 1032 bytes of one.
            guard unpacked / 1032 <= png.packedBytes else { throw PNGFault(reason: "ends early") }
            guard unpacked <= options.workingBytesLimit else {
                throw PNGFault(reason: "its rows need more memory than the limit")
            }
            let rows = try png.rows()
            reshape(height: png.header.height, width: png.header.width)
            try png.writeRGB(rows, into: bytes)
        } catch { throw SampleError(path: path, reason: error.reason) }
    }
}

extension Bytes {
    fileprivate func bigEndian(at index: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 << 8 | UInt32(self[index + $1]) }
    }
}
