import Kernels

/// The kind of a file by its first bytes, whatever its name says.
enum FileKind: Equatable {
    case empty, jpeg, png, gif, webp, bmp, tiff, markup, other

    init(_ file: Bytes) {
        func starts(_ bytes: [UInt8], at offset: Int = 0) -> Bool {
            file.count >= offset + bytes.count && bytes.indices.allSatisfy { file[offset + $0] == bytes[$0] }
        }
        self =
            if file.count == 0 {
                .empty
            } else if starts([0xFF, 0xD8]) {
                .jpeg
            } else if starts([0x89, 0x50, 0x4E, 0x47]) {
                .png
            } else if starts(Array("GIF8".utf8)) {
                .gif
            } else if starts(Array("RIFF".utf8)) && starts(Array("WEBP".utf8), at: 8) {
                .webp
            } else if starts(Array("BM".utf8)) {
                .bmp
            } else if starts([0x49, 0x49, 0x2A, 0]) || starts([0x4D, 0x4D, 0, 0x2A]) {
                .tiff
            } else if starts(Array("<".utf8)) {
                .markup
            } else {
                .other
            }
    }

    /// True for the names that JPEG files have.
    static func isNamedJPEG(_ path: String) -> Bool {
        let name = path.lowercased()
        return name.hasSuffix(".jpg") || name.hasSuffix(".jpeg")
    }

    /// Why a file of this kind is not read as JPEG.
    var refusal: String {
        switch self {
        case .empty: "is empty"
        case .jpeg: "is a JPEG file"
        case .png: "is a PNG file, expected JPEG"
        case .gif: "is a GIF file, expected JPEG or PNG"
        case .webp: "is a WebP file, expected JPEG or PNG"
        case .bmp: "is a BMP file, expected JPEG or PNG"
        case .tiff: "is a TIFF file, expected JPEG or PNG"
        case .markup: "is a text file with markup, expected JPEG or PNG"
        case .other: "is of no known image format, expected JPEG or PNG"
        }
    }
}

/// Why a file is no sample. The number is stored in the index.
public enum FileFault: UInt8, Sendable, CaseIterable {
    case none, empty, folder, dangling, special, unreadable, tooLarge
    case png, gif, webp, bitmap, tiff, text, unknown, brokenHeader

    public var reason: String {
        switch self {
        case .none: "good"
        case .folder: "a folder with the name of an image"
        case .dangling: "a link that leads nowhere"
        case .special: "a FIFO, socket or device"
        case .unreadable: "cannot be read"
        case .tooLarge: "more than 256 MiB"
        case .brokenHeader: "a header that is cut short or damaged"
        case .empty: FileKind.empty.refusal
        case .png: FileKind.png.refusal
        case .gif: FileKind.gif.refusal
        case .webp: FileKind.webp.refusal
        case .bitmap: FileKind.bmp.refusal
        case .tiff: FileKind.tiff.refusal
        case .text: FileKind.markup.refusal
        case .unknown: FileKind.other.refusal
        }
    }

    init(_ kind: FileKind) {
        self =
            switch kind {
            case .jpeg: .none
            case .empty: .empty
            case .png: .png
            case .gif: .gif
            case .webp: .webp
            case .bmp: .bitmap
            case .tiff: .tiff
            case .markup: .text
            case .other: .unknown
            }
    }
}
