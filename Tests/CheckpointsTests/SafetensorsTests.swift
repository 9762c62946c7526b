import Checkpoints
import FoundationEssentials
import Kernels
import Messages
import Testing

@Suite struct SafetensorsTests {
    /// Extents that leave every following tensor unaligned unless the writer orders them by width.
    @Test func `every element type comes back with its bytes, shape and alignment`() throws {
        let folder = try TemporaryFolder()
        let tensors = TensorKind.allCases.map { kind in
            let bytes = (0..<15 * kind.elementBytes).map { UInt8(truncatingIfNeeded: $0 * 7 + kind.elementBytes) }
            return StoredTensor(name: "t." + kind.rawValue, kind: kind, shape: [3, 5], bytes: Bytes(bytes))
        }
        let path = folder.path(of: "all.safetensors")
        try Safetensors.write(tensors.reversed(), metadata: ["about": "tab\t \"quoted\" \\ é 😀"], to: path)
        let file = try Safetensors(path)
        #expect(file.names == tensors.map(\.name).sorted())
        #expect(file.metadata == ["about": "tab\t \"quoted\" \\ é 😀"])
        for tensor in tensors {
            let read = try file.tensor(tensor.name)
            #expect(read.kind == tensor.kind && read.shape == [3, 5])
            #expect(read.bytes.array == tensor.bytes.array)
        }
        let header = try contents(path).prefix(8).enumerated().reduce(0) { $0 + Int($1.element) << (8 * $1.offset) }
        #expect(header % 8 == 0)
    }

    @Test func `scalars, empty tensors and a file without tensors come back`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path(of: "edge.safetensors")
        try Safetensors.write(
            [
                StoredTensor("scalar", [], integers: [-7]), StoredTensor("empty", [0, 4], Floats(zeros: 0)),
                StoredTensor("one", [1], Floats([2.5])),
            ], to: path)
        let file = try Safetensors(path)
        #expect(try file.tensor("scalar").integers == [-7])
        #expect(try file.tensor("empty").floats == [])
        #expect(try file.tensor("one").floats == [2.5])
        try Safetensors.write([], to: path)
        #expect(try Safetensors(path).names == [])
    }

    @Test func `values of every readable type are exact`() throws {
        func tensor(_ kind: TensorKind, _ bytes: [UInt8]) -> StoredTensor {
            StoredTensor(name: "x", kind: kind, shape: [bytes.count / kind.elementBytes], bytes: Bytes(bytes))
        }
        #expect(tensor(.bool, [0, 1]).integers == [0, 1])
        #expect(tensor(.i8, [0xff]).integers == [-1])
        #expect(tensor(.i16, [0xfe, 0xff]).integers == [-2])
        #expect(tensor(.u16, [0xfe, 0xff]).integers == [65_534])
        #expect(tensor(.i32, [0xfd, 0xff, 0xff, 0xff]).integers == [-3])
        #expect(tensor(.u32, [0xfd, 0xff, 0xff, 0xff]).integers == [4_294_967_293])
        #expect(tensor(.bf16, [0x80, 0x3f, 0x20, 0xc0]).floats == [1, -2.5])
        // 1, -2, largest, smallest subnormal, infinity
        #expect(
            tensor(.f16, [0, 0x3c, 0, 0xc0, 0xff, 0x7b, 1, 0, 0, 0x7c]).floats == [1, -2, 65_504, 0x1p-24, .infinity])
        let floats = Floats(zeros: 2)
        try tensor(.bf16, [0x80, 0x3f, 0x20, 0xc0]).copy(into: floats)
        #expect(floats.array == [1, -2.5])
        try tensor(.u8, [3, 4]).copy(into: floats)
        #expect(floats.array == [3, 4])
        #expect(throws: CheckpointError.self) { try tensor(.u8, [1, 2, 3]).copy(into: floats) }
        #expect(tensor(.f64, [0, 0, 0, 0, 0, 0, 0xf8, 0x3f]).doubles == [1.5])
    }

    /// Other writers need not pad the header.
    @Test func `a tensor at an odd address is read`() throws {
        var header = Array(#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#.utf8)
        header += [UInt8](repeating: 0x20, count: header.count % 2 == 0 ? 1 : 0)
        let bytes = [UInt8(header.count), 0, 0, 0, 0, 0, 0, 0] + header + [0, 0, 0x80, 0x3f, 0, 0, 0, 0x40]
        let file = try Safetensors(Bytes(bytes), path: "odd")
        #expect(try file.tensor("x").floats == [1, 2])
        let floats = Floats(zeros: 2)
        try file.tensor("x").copy(into: floats)
        #expect(floats.array == [1, 2])
    }

    @Test func `two tensors of one name are not written`() throws {
        let folder = try TemporaryFolder()
        let twice = [StoredTensor("x", [1], Floats([1])), StoredTensor("x", [1], Floats([2]))]
        #expect(throws: CheckpointError.self) { try Safetensors.write(twice, to: folder.path(of: "x")) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
    }

    @Test func `a full disk is named as such and leaves no file`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path(of: "x.safetensors")
        try FileManager.default.createSymbolicLink(atPath: path + ".tmp", withDestinationPath: "/dev/full")
        let error = #expect(throws: CheckpointError.self) {
            try Safetensors.write([StoredTensor("x", [1], Floats([1]))], to: path)
        }
        #expect(error?.reason == .unwritable(diskFull: true))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
    }

    @Test func `metadata keeps the kinds of its numbers`() throws {
        let json = try JSON(#"{"a":[1,2.5,-3e2],"b":{"c":true,"d":null},"e":"x"}"#)
        #expect(json["a"]?.array?.map(\.number) == [1, 2.5, -300])
        #expect(json["a"]?[0] == .integer(1))
        #expect(json["a"]?.integers == nil)
        #expect(json["b"]?["c"]?.bool == true && json["b"]?["c"]?.integer == nil)
        #expect(json["b"]?["d"] == .null)
        #expect(json["e"]?.string == "x" && json["a"]?[3] == nil)
        #expect(throws: (any Error).self) { try JSON("{") }
    }
}
