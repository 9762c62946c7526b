public import Kernels

/// One float32 matrix as PyTorch saves a bare tensor: a zip archive with a pickle and the numbers. Only the few steps of a
/// pickle that such a file has are taken; nothing in it can name a function to be run.
/// Source: torch.serialization, pickletools of Python.
public enum TorchTensor {
    /// The rows of a matrix, (K, D).
    public static func rows(_ file: Bytes, path: String) throws(DataError) -> (floats: Floats, width: Int) {
        do throws(Fault) {
            let entries = try ZipArchive(file).entries
            guard let pickle = entries.first(where: { $0.key.hasSuffix("/data.pkl") || $0.key == "data.pkl" }) else {
                throw Fault("no data.pkl")
            }
            let tensor = try Pickle.tensor(pickle.value)
            let name = String(pickle.key.dropLast("data.pkl".count)) + "data/" + tensor.key
            guard let data = entries[name] else { throw Fault("no \(name)") }
            guard tensor.storage == "torch FloatStorage" else { throw Fault("numbers of kind \(tensor.storage)") }
            guard tensor.size.count == 2, tensor.size.allSatisfy({ $0 > 0 && $0 <= data.count }),
                tensor.stride == [tensor.size[1], 1], tensor.offset >= 0
            else { throw Fault("a tensor \(tensor.size) with strides \(tensor.stride)") }
            let bytes = 4 * tensor.size[0] * tensor.size[1]
            guard 4 * tensor.offset + bytes <= data.count else { throw Fault("\(data.count) bytes of numbers") }
            let floats = Floats(zeros: tensor.size[0] * tensor.size[1])
            floats.viewed(as: UInt8.self).copy(from: data[4 * tensor.offset..<4 * tensor.offset + bytes])
            return (floats, tensor.size[1])
        } catch {
            throw DataError(
                path, found: error.found, expected: "one float32 matrix that PyTorch saved",
                hint: "save the tensor alone, with torch.save or as a .npy file")
        }
    }

    struct Fault: Error {
        let found: String
        init(_ found: String) { self.found = found }
    }
}

/// The entries of a zip archive that are stored as they are.
private struct ZipArchive {
    private(set) var entries: [String: Bytes] = [:]

    init(_ file: Bytes) throws(TorchTensor.Fault) {
        func word(_ at: Int, _ width: Int) throws(TorchTensor.Fault) -> Int {
            guard at >= 0, at + width <= file.count else { throw .init("an archive that is cut short") }
            return Int(file[at..<at + width].littleEndian(0, width: width))
        }
        // The end record is 22 bytes and a comment.
        var end = file.count - 22
        while end >= 0, try word(end, 4) != 0x0605_4B50 { end -= 1 }
        guard end >= 0 else { throw .init("no zip archive") }
        var at = try word(end + 16, 4)
        for _ in 0..<(try word(end + 10, 2)) {
            guard try word(at, 4) == 0x0201_4B50 else { throw .init("a damaged table of the archive") }
            let (method, size, names) = (try word(at + 10, 2), try word(at + 24, 4), try word(at + 28, 2))
            let local = try word(at + 42, 4)
            guard method == 0, at + 46 + names <= file.count else { throw .init("packed entries") }
            let name = String(decoding: file[at + 46..<at + 46 + names].array, as: UTF8.self)
            let start = local + 30 + (try word(local + 26, 2)) + (try word(local + 28, 2))
            guard start + size <= file.count else { throw .init("an archive that is cut short") }
            entries[name] = file[start..<start + size]
            at += 46 + names + (try word(at + 30, 2)) + (try word(at + 32, 2))
        }
    }
}

/// The steps of a pickle that build a tensor.
private struct Pickle {
    struct Tensor {
        let key, storage: String
        let offset: Int
        let size, stride: [Int]
    }

    private indirect enum Value {
        case mark, none, bool, other
        case integer(Int)
        case text(String)
        case tuple([Value])
        case stored([Value])
        case call(String, [Value])

        var integer: Int? { if case .integer(let value) = self { value } else { nil } }
        var text: String? { if case .text(let value) = self { value } else { nil } }
        var integers: [Int]? { if case .tuple(let values) = self { values.compactMap(\.integer) } else { nil } }
    }

    static func tensor(_ bytes: Bytes) throws(TorchTensor.Fault) -> Tensor {
        var pickle = Pickle(bytes: bytes)
        guard case .call("torch._utils _rebuild_tensor_v2", let arguments) = try pickle.run(), arguments.count >= 4,
            case .stored(let storage) = arguments[0], storage.count >= 3, let kind = storage[1].text,
            let key = storage[2].text, let offset = arguments[1].integer, let size = arguments[2].integers,
            let stride = arguments[3].integers
        else { throw .init("a pickle of something else") }
        return Tensor(key: key, storage: kind, offset: offset, size: size, stride: stride)
    }

    private let bytes: Bytes
    private var at = 0
    private var stack: [Value] = []
    private var memo: [Int: Value] = [:]

    private init(bytes: Bytes) { self.bytes = bytes }

    private mutating func word(_ width: Int) throws(TorchTensor.Fault) -> Int {
        guard at + width <= bytes.count else { throw .init("a pickle that is cut short") }
        defer { at += width }
        return Int(bytes[at..<at + width].littleEndian(0, width: width))
    }

    private mutating func line() throws(TorchTensor.Fault) -> String {
        let start = at
        while at < bytes.count, bytes[at] != 0x0A { at += 1 }
        guard at < bytes.count else { throw .init("a pickle that is cut short") }
        at += 1
        return String(decoding: bytes[start..<at - 1].array, as: UTF8.self)
    }

    private mutating func pop() throws(TorchTensor.Fault) -> Value {
        guard let value = stack.popLast() else { throw .init("a damaged pickle") }
        return value
    }

    private mutating func pop(_ count: Int) throws(TorchTensor.Fault) -> [Value] {
        guard stack.count >= count else { throw .init("a damaged pickle") }
        defer { stack.removeLast(count) }
        return Array(stack.suffix(count))
    }

    private mutating func popToMark() throws(TorchTensor.Fault) -> [Value] {
        let found = stack.lastIndex { if case .mark = $0 { true } else { false } }
        guard let found else { throw .init("a damaged pickle") }
        defer { stack.removeSubrange(found...) }
        return Array(stack[(found + 1)...])
    }

    private mutating func run() throws(TorchTensor.Fault) -> Value {
        while true {
            let step = try word(1)
            switch UInt8(step) {
            case UInt8(ascii: "."): return try pop()
            case 0x80: _ = try word(1)
            case UInt8(ascii: "("): stack.append(.mark)
            case UInt8(ascii: "N"): stack.append(.none)
            case 0x88, 0x89: stack.append(.bool)
            case UInt8(ascii: "}"): stack.append(.other)
            case UInt8(ascii: ")"): stack.append(.tuple([]))
            case UInt8(ascii: "K"): stack.append(.integer(try word(1)))
            case UInt8(ascii: "M"): stack.append(.integer(try word(2)))
            case UInt8(ascii: "J"): stack.append(.integer(Int(Int32(truncatingIfNeeded: try word(4)))))
            case UInt8(ascii: "X"):
                let count = try word(4)
                guard at + count <= bytes.count else { throw .init("a pickle that is cut short") }
                stack.append(.text(String(decoding: bytes[at..<at + count].array, as: UTF8.self)))
                at += count
            case UInt8(ascii: "c"): stack.append(.text(try line() + " " + line()))
            case UInt8(ascii: "q"): memo[try word(1)] = stack.last
            case UInt8(ascii: "r"): memo[try word(4)] = stack.last
            case UInt8(ascii: "h"): stack.append(memo[try word(1)] ?? .other)
            case UInt8(ascii: "j"): stack.append(memo[try word(4)] ?? .other)
            case UInt8(ascii: "t"): stack.append(.tuple(try popToMark()))
            case 0x85, 0x86, 0x87: stack.append(.tuple(try pop(step - 0x84)))
            case UInt8(ascii: "Q"):
                guard case .tuple(let values) = try pop() else { throw .init("a damaged pickle") }
                stack.append(.stored(values))
            case UInt8(ascii: "R"):
                let (arguments, function) = (try pop(), try pop())
                guard case .tuple(let values) = arguments, let name = function.text else {
                    throw .init("a damaged pickle")
                }
                stack.append(.call(name, values))
            default: throw .init("a pickle of something else (step \(step))")
            }
        }
    }
}
