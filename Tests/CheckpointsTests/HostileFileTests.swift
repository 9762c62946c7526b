import Checkpoints
import Kernels
import Platform
import Testing

/// What R8 of the reliability table promises. The fuzz test runs 3 s; ten minutes are
/// `for i in $(seq 200); do swift test -c release --skip-build --filter 'mutated files' || break; done`.
@Suite struct HostileFileTests {
    static func file(_ header: String, data: Int = 8) -> Bytes {
        file(Array(header.utf8), data: data)
    }

    static func file(_ header: [UInt8], length: UInt64? = nil, data: Int = 8) -> Bytes {
        let length = length ?? UInt64(header.count)
        return Bytes(
            (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + header + [UInt8](repeating: 1, count: data))
    }

    static func entry(_ shape: String, _ offsets: String, kind: String = "F32", name: String = "x") -> String {
        #""\#(name)":{"dtype":"\#(kind)","shape":\#(shape),"data_offsets":\#(offsets)}"#
    }

    @Test func `the valid file that the others are made from opens`() throws {
        let valid = Self.file("{" + Self.entry("[1]", "[0,4]") + "," + Self.entry("[1]", "[4,8]", name: "y") + "}")
        #expect(try Safetensors(valid, path: "valid").names == ["x", "y"])
    }

    @Test(arguments: [
        ("hole", "{" + entry("[1]", "[4,8]") + "}"),
        ("hole between", "{" + entry("[1]", "[0,4]") + "," + entry("[0]", "[5,5]", name: "y") + "}"),
        ("overlap", "{" + entry("[2]", "[0,8]") + "," + entry("[1]", "[4,8]", name: "y") + "}"),
        ("unowned end", "{" + entry("[1]", "[0,4]") + "}"),
        ("range past the end", "{" + entry("[3]", "[0,12]") + "}"),
        ("range backwards", "{" + entry("[2]", "[8,0]") + "}"),
        ("shape smaller than range", "{" + entry("[1]", "[0,8]") + "}"),
        ("negative extent", "{" + entry("[-2]", "[0,8]") + "}"),
        ("overflowing shape", "{" + entry("[4611686018427387904,4,2]", "[0,8]") + "}"),
        ("number beyond 64 bits", "{" + entry("[18446744073709551618]", "[0,8]") + "}"),
        ("fraction", "{" + entry("[2.0]", "[0,8]") + "}"),
        ("leading zero", "{" + entry("[02]", "[0,8]") + "}"),
        ("rank 40", "{" + entry("[2" + String(repeating: ",1", count: 39) + "]", "[0,8]") + "}"),
        ("unknown type", "{" + entry("[2]", "[0,8]", kind: "F31") + "}"),
        ("wrong width", "{" + entry("[2]", "[0,8]", kind: "F64") + "}"),
        ("three offsets", "{" + entry("[2]", "[0,8,8]") + "}"),
        ("same name twice", "{" + entry("[1]", "[0,4]") + "," + entry("[1]", "[4,8]") + "}"),
        ("same key twice", #"{"x":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#),
        ("no type", #"{"x":{"shape":[2],"data_offsets":[0,8]}}"#),
        ("unknown key", #"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":1}}"#),
        ("metadata of numbers", #"{"__metadata__":{"a":1},"# + entry("[2]", "[0,8]") + "}"),
        ("two metadata maps", #"{"__metadata__":{},"__metadata__":{},"# + entry("[2]", "[0,8]") + "}"),
        ("half a surrogate", #"{"\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#),
        ("text after the end", "{" + entry("[2]", "[0,8]") + "}x"),
        ("no end", "{" + entry("[2]", "[0,8]")), ("deep nesting", String(repeating: "[", count: 100_000)),
        ("no header", ""),
    ])
    func `a header that breaks the format is refused`(_ fault: String, _ header: String) {
        let error = #expect(throws: CheckpointError.self) { try Safetensors(Self.file(header), path: "hostile") }
        #expect(error?.reason == .corrupt && error.map { $0.description.utf8.count < 1000 } ?? false, "\(fault)")
    }

    @Test func `bad UTF-8 and raw control characters are refused`() {
        for bytes: [UInt8] in [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0x0a], [0]] {
            let header = Array("{\"".utf8) + bytes + Array(#"":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#.utf8)
            #expect(throws: CheckpointError.self) { try Safetensors(Self.file(header), path: "hostile") }
        }
    }

    @Test(arguments: [UInt64.max, 1 << 63, 1 << 40, 1000, 9 << 20])
    func `a length that the file cannot hold is refused`(_ length: UInt64) {
        #expect(throws: CheckpointError.self) {
            try Safetensors(Self.file([0x7b, 0x7d], length: length), path: "hostile")
        }
    }

    @Test func `every cut of a valid file is refused`() throws {
        let valid = Self.file("{" + Self.entry("[2]", "[0,8]") + "}")
        for count in 0..<valid.count {
            #expect(throws: CheckpointError.self) { try Safetensors(valid[0..<count], path: "cut") }
        }
    }

    /// The limit is set on a process of its own, which would be ended by the first allocation past it.
    @Test func `the largest header is read within 64 MiB`() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path(of: "large.safetensors")
        var header = Array("{".utf8)
        var count = 0
        while header.count < (8 << 20) - 80 {
            if count > 0 { header.append(UInt8(ascii: ",")) }
            header += Array(Self.entry("[0]", "[0,0]", kind: "U8", name: String(count, radix: 36)).utf8)
            count += 1
        }
        header.append(UInt8(ascii: "}"))
        try write(Self.file(header, data: 0).array, to: path)
        await #expect(processExitsWith: .success) { [path = path as String, count = count as Int] in
            try limitData(to: 64 << 20)
            let names = try Safetensors(path).names
            #expect(names.count == count)
        }
    }

    @Test func `three seconds of mutated files end in a tensor or an error`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path(of: "valid.safetensors")
        try Safetensors.write(
            TensorKind.allCases.map {
                StoredTensor(name: $0.rawValue, kind: $0, shape: [2, 3], bytes: Bytes(zeros: 6 * $0.elementBytes))
            }, metadata: ["config": #"{"a":[1,2]}"#], to: path)
        let valid = try contents(path)
        let words = [
            "{", "}", "[", "]", ",", ":", "\"", "\\u", "-", "0", "9223372036854775807", "data_offsets", "\u{0}", "é",
        ]
        var random = SystemRandomNumberGenerator()
        let clock = ContinuousClock()
        let end = clock.now + .seconds(3)
        var (opened, refused) = (0, 0)
        while clock.now < end {
            var bytes = valid
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                // Most changes go to the table: flips in the data are no fault of the format.
                let at =
                    Int.random(in: 0..<(Bool.random(using: &random) ? 1200 : bytes.count), using: &random) % bytes.count
                switch Int.random(in: 0..<5, using: &random) {
                case 0: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 1: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 2: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...20, using: &random)))
                case 3:
                    bytes.insert(contentsOf: Array(words[Int.random(in: 0..<words.count, using: &random)].utf8), at: at)
                default:
                    bytes.replaceSubrange(at..., with: valid.suffix(Int.random(in: 0..<valid.count, using: &random)))
                }
                if bytes.isEmpty { bytes = [0] }
            }
            do {
                let file = try Safetensors(Bytes(bytes), path: "mutated")
                for tensor in file.tensors { #expect(tensor.bytes.count == tensor.count * tensor.kind.elementBytes) }
                opened += 1
            } catch { refused += 1 }
        }
        #expect(refused > opened && opened > 0, "\(opened) opened, \(refused) refused")
    }
}
