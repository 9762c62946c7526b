import Glibc

/// A slice of flat memory that is bounds-checked once, when it is sliced. Copies share the memory; the memory
/// lives as long as any slice of it. Writers of overlapping slices must be ordered by the caller.
@safe public struct Buffer<Element: BitwiseCopyable>: @unchecked Sendable {
    @usableFromInline let base: UnsafeMutablePointer<Element>
    public let count: Int
    @usableFromInline let owner: AnyObject

    @inlinable init(base: UnsafeMutablePointer<Element>, count: Int, owner: AnyObject) {
        self.base = base
        self.count = count
        self.owner = owner
    }

    /// `count` zero elements, aligned to 64 bytes.
    public init(zeros count: Int) {
        let allocation = Allocation(bytes: count * MemoryLayout<Element>.stride)
        self.init(base: allocation.base.assumingMemoryBound(to: Element.self), count: count, owner: allocation)
    }

    public init(_ elements: [Element]) {
        self.init(zeros: elements.count)
        elements.withUnsafeBufferPointer { from in
            if let start = from.baseAddress { base.update(from: start, count: from.count) }
        }
    }

    /// Memory that `owner` keeps alive: a mapped file, a window shared between processes.
    @unsafe public init(at base: UnsafeMutablePointer<Element>, count: Int, keeping owner: AnyObject) {
        self.init(base: base, count: count, owner: owner)
    }

    @inlinable public subscript(index: Int) -> Element {
        get {
            precondition(index >= 0 && index < count, "index outside the buffer")
            return base[index]
        }
        nonmutating set {
            precondition(index >= 0 && index < count, "index outside the buffer")
            base[index] = newValue
        }
    }

    @inlinable public subscript(range: Range<Int>) -> Buffer {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "slice outside the buffer")
        return Buffer(base: base + range.lowerBound, count: range.count, owner: owner)
    }

    /// The first element's address, for the modules that may speak to C.
    @inlinable @unsafe public var pointer: UnsafeMutablePointer<Element> { base }

    public var array: [Element] { Array(UnsafeBufferPointer(start: base, count: count)) }

    public func fill(_ value: Element) { base.update(repeating: value, count: count) }

    /// Copies the elements of `other`, which has the same count and does not overlap.
    public func copy(from other: Buffer) {
        precondition(other.count == count, "copy between buffers of different size")
        if count > 0 { base.update(from: other.base, count: count) }
    }

    /// Exchanges the elements with those of `other`, which has the same count and does not overlap.
    public func swap(with other: Buffer) {
        precondition(other.count == count, "swap of buffers of different size")
        for index in 0..<count { Swift.swap(&base[index], &other.base[index]) }
    }

    public func copy(from elements: [Element]) {
        precondition(elements.count == count, "copy from an array of different size")
        elements.withUnsafeBufferPointer { from in
            if let start = from.baseAddress { base.update(from: start, count: count) }
        }
    }

    /// The same bytes read as another element type. The address must be aligned for it and the size a multiple.
    public func viewed<Other: BitwiseCopyable>(as type: Other.Type) -> Buffer<Other> {
        let bytes = count * MemoryLayout<Element>.stride
        precondition(bytes % MemoryLayout<Other>.stride == 0, "size is no multiple of the element")
        precondition(isAligned(for: Other.self), "address is not aligned")
        let address = UnsafeMutableRawPointer(base).assumingMemoryBound(to: Other.self)
        return Buffer<Other>(base: address, count: bytes / MemoryLayout<Other>.stride, owner: owner)
    }

    /// Whether the first element lies where an element of `type` may.
    public func isAligned<Other: BitwiseCopyable>(for type: Other.Type) -> Bool {
        UInt(bitPattern: base) % UInt(MemoryLayout<Other>.alignment) == 0
    }
}

public typealias Floats = Buffer<Float>
/// Token ids, row tables.
public typealias Indices = Buffer<Int32>
public typealias Bytes = Buffer<UInt8>

/// Zeroed memory aligned to 64 bytes; large blocks ask for huge pages, which saves the step many page walks.
final class Allocation {
    let base: UnsafeMutableRawPointer

    init(bytes: Int) {
        let hugePage = 2 << 20
        let alignment = bytes >= 2 * hugePage ? hugePage : 64
        var address: UnsafeMutableRawPointer?
        let code = posix_memalign(&address, alignment, max(bytes, 64))
        guard code == 0, let address else { preconditionFailure("no memory for \(bytes) bytes") }
        if alignment == hugePage { madvise(address, bytes, MADV_HUGEPAGE) }
        memset(address, 0, bytes)
        base = address
    }

    deinit { free(base) }
}
