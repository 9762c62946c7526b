public import Kernels
import Platform

/// One tensor of a file, row-major. `bytes` are the file's own pages and keep the mapping alive.
public struct StoredTensor: Sendable {
    /// Unique in its file.
    public let name: String
    public let kind: TensorKind
    /// Extents, outermost first; none for a scalar.
    public let shape: [Int]
    public let bytes: Bytes

    public init(name: String, kind: TensorKind, shape: [Int], bytes: Bytes) {
        precondition(shape.reduce(1, *) * kind.elementBytes == bytes.count, "\(name): bytes do not fill the shape")
        self.name = name
        self.kind = kind
        self.shape = shape
        self.bytes = bytes
    }

    /// A float32 tensor over the memory of a parameter, moment or average; nothing is copied.
    public init(_ name: String, _ shape: Shape, _ floats: Floats) {
        self.init(name: name, kind: .f32, shape: shape.extents, bytes: floats.viewed(as: UInt8.self))
    }

    /// An int64 tensor, as PyTorch stores counters and index tables.
    public init(_ name: String, _ shape: Shape, integers: [Int]) {
        self.init(
            name: name, kind: .i64, shape: shape.extents,
            bytes: Buffer(integers.map(Int64.init)).viewed(as: UInt8.self))
    }

    /// Elements of the tensor; 1 for the empty shape.
    public var count: Int { bytes.count / kind.elementBytes }

    /// The values of a floating kind as Float; float64 is rounded. Other kinds trap: look at `kind` first.
    public var floats: [Float] {
        switch kind {
        case .f32: elements(Float.self).array
        case .f64: elements(Double.self).array.map { Float($0) }
        case .bf16: elements(UInt16.self).array.map { Float(bitPattern: UInt32($0) << 16) }
        case .f16: elements(UInt16.self).array.map(Self.widened)
        default: preconditionFailure("\(name) holds \(kind.rawValue), no floats")
        }
    }

    /// The values of a floating kind as Double. Other kinds trap.
    public var doubles: [Double] { kind == .f64 ? elements(Double.self).array : floats.map { Double($0) } }

    /// The values of an integer kind or of booleans (0, 1). Other kinds trap.
    public var integers: [Int] {
        switch kind {
        case .bool, .u8: elements(UInt8.self).array.map { Int($0) }
        case .i8: elements(Int8.self).array.map { Int($0) }
        case .i16: elements(Int16.self).array.map { Int($0) }
        case .u16: elements(UInt16.self).array.map { Int($0) }
        case .i32: elements(Int32.self).array.map { Int($0) }
        case .u32: elements(UInt32.self).array.map { Int($0) }
        case .i64: elements(Int64.self).array.map { Int($0) }
        case .u64: elements(UInt64.self).array.map { Int(clamping: $0) }
        default: preconditionFailure("\(name) holds \(kind.rawValue), no integers")
        }
    }

    /// Copies the values into the memory of a parameter, moment, average or counter; others than float32 are converted.
    public func copy(into floats: Floats) throws(CheckpointError) {
        guard kind.isFloating || kind.isInteger, count == floats.count else {
            throw CheckpointError(
                .mismatched, at: name, found: "\(count) elements of \(kind.rawValue)",
                expected: "\(floats.count) of F32")
        }
        if kind == .f32 {
            floats.viewed(as: UInt8.self).copy(from: bytes)
        } else {
            floats.copy(from: kind.isFloating ? self.floats : integers.map { Float($0) })
        }
    }

    /// The elements in place, or in a copy where another program left them unaligned.
    private func elements<Element: BitwiseCopyable>(_ type: Element.Type) -> Buffer<Element> {
        if bytes.isAligned(for: type) { return bytes.viewed(as: type) }
        let aligned = Bytes(zeros: bytes.count)
        aligned.copy(from: bytes)
        return aligned.viewed(as: type)
    }

    /// IEEE half precision to single: exact. Written out because `Float16` is missing on x86 in part of the library.
    private static func widened(_ half: UInt16) -> Float {
        let sign: Float = half & 0x8000 == 0 ? 1 : -1
        let exponent = Int(half >> 10) & 31
        let fraction = Float(half & 0x3ff)
        if exponent == 31 { return fraction == 0 ? sign * .infinity : .nan }
        if exponent == 0 { return sign * fraction * 0x1p-24 }
        return sign * Float(sign: .plus, exponent: exponent - 15, significand: 1 + fraction * 0x1p-10)
    }
}

/// The element types of a safetensors file.
public enum TensorKind: String, Sendable, CaseIterable {
    case bool = "BOOL"
    case u8 = "U8"
    case i8 = "I8"
    case f8e5m2 = "F8_E5M2"
    case f8e4m3 = "F8_E4M3"
    case i16 = "I16"
    case u16 = "U16"
    case f16 = "F16"
    case bf16 = "BF16"
    case i32 = "I32"
    case u32 = "U32"
    case f32 = "F32"
    case i64 = "I64"
    case u64 = "U64"
    case f64 = "F64"

    /// Bytes of one element.
    public var elementBytes: Int {
        switch self {
        case .bool, .u8, .i8, .f8e5m2, .f8e4m3: 1
        case .i16, .u16, .f16, .bf16: 2
        case .i32, .u32, .f32: 4
        case .i64, .u64, .f64: 8
        }
    }

    /// Whether `StoredTensor.floats` and `doubles` can hold its values exactly or rounded once.
    public var isFloating: Bool {
        switch self {
        case .f16, .bf16, .f32, .f64: true
        case .bool, .u8, .i8, .f8e5m2, .f8e4m3, .i16, .u16, .i32, .u32, .i64, .u64: false
        }
    }

    /// Whether `StoredTensor.integers` can hold its values.
    public var isInteger: Bool {
        switch self {
        case .bool, .u8, .i8, .i16, .u16, .i32, .u32, .i64, .u64: true
        case .f8e5m2, .f8e4m3, .f16, .bf16, .f32, .f64: false
        }
    }
}
