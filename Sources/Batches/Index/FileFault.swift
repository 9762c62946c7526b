import Kernels

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
