import Kernels
import Platform

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
            var checksum = CRC32(.crc32)
            checksum.add(file[position + 4..<position + 8 + count])
            guard checksum.value == file.bigEndian(at: position + 8 + count) else {
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

    /// Unpacks all rows, each after its filter byte, and undoes the filters.
    func rows() throws(PNGFault) -> Bytes {
        let stream = Bytes(zeros: packedBytes)
        var position = 0
        for part in packed {
            stream[position..<position + part.count].copy(from: part)
            position += part.count
        }
        guard stream.count > 6, stream[0] & 15 == 8, (Int(stream[0]) << 8 + Int(stream[1])) % 31 == 0 else {
            throw PNGFault(reason: "holds no zlib stream")
        }
        let rows = Bytes(zeros: header.height * (header.rowBytes + 1))
        try Inflate.unpack(stream[2..<stream.count - 4], into: rows)
        guard adler(rows) == stream.bigEndian(at: stream.count - 4) else {
            throw PNGFault(reason: "unpacks to wrong bytes")
        }
        try undoFilters(rows)
        return rows
    }

    private func undoFilters(_ rows: Bytes) throws(PNGFault) {
        let stride = header.rowBytes + 1, step = header.pixelBytes
        for y in 0..<header.height {
            let row = rows[y * stride + 1..<(y + 1) * stride]
            let above = y > 0 ? rows[(y - 1) * stride + 1..<y * stride] : Bytes(zeros: header.rowBytes)
            switch rows[y * stride] {
            case 0: break
            case 1: for x in step..<max(step, row.count) { row[x] &+= row[x - step] }
            case 2: for x in 0..<row.count { row[x] &+= above[x] }
            case 3:
                for x in 0..<row.count {
                    let left = x >= step ? Int(row[x - step]) : 0
                    row[x] &+= UInt8((left + Int(above[x])) / 2)
                }
            case 4:
                for x in 0..<row.count {
                    let (left, corner) = x >= step ? (Int(row[x - step]), Int(above[x - step])) : (0, 0)
                    row[x] &+= UInt8(nearest(left, Int(above[x]), corner))
                }
            default: throw PNGFault(reason: "has a row with an unknown filter")
            }
        }
    }

    /// Writes the pixels of unpacked rows as RGB: alpha is dropped, 16 bits keep their high byte.
    func writeRGB(_ rows: Bytes, into rgb: Bytes) throws(PNGFault) {
        let (width, depth, channels) = (header.width, header.depth, header.channels)
        let stride = header.rowBytes + 1
        let scale = header.colour == .grey && depth < 8 ? 255 / (1 << depth - 1) : 1
        for y in 0..<header.height {
            let row = rows[y * stride + 1..<(y + 1) * stride]
            for x in 0..<width {
                let target = (y * width + x) * 3
                for channel in 0..<3 {
                    let source = x * channels + (channels >= 3 ? channel : 0)
                    let value: Int
                    switch depth {
                    case 8: value = Int(row[source])
                    case 16: value = Int(row[2 * source])
                    default:
                        let bit = source * depth
                        value = Int(row[bit / 8]) >> (8 - depth - bit % 8) & (1 << depth - 1)
                    }
                    guard header.colour == .palette else {
                        rgb[target + channel] = UInt8(value * scale)
                        continue
                    }
                    guard 3 * value + 2 < palette.count else {
                        throw PNGFault(reason: "uses colour \(value) beyond its palette")
                    }
                    rgb[target + channel] = palette[3 * value + channel]
                }
            }
        }
    }
}

/// Paeth's filter: the neighbour closest to left + above - corner.
private func nearest(_ left: Int, _ above: Int, _ corner: Int) -> Int {
    let guess = left + above - corner
    let (a, b, c) = (abs(guess - left), abs(guess - above), abs(guess - corner))
    return a <= b && a <= c ? left : b <= c ? above : corner
}

extension Image {
    /// Reads `file`, the whole content of the PNG file at `path`.
    mutating func decodePNG(_ file: Bytes, path: String, _ options: DecodeOptions) throws(SampleError) {
        do throws(PNGFault) {
            let png = try PNGFile(file)
            let unpacked = png.header.height * (png.header.rowBytes + 1)
            if let reason = options.refusal(height: png.header.height, width: png.header.width) {
                throw PNGFault(reason: reason)
            }
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
