import Kernels
import Platform
import Testing

@Suite struct ChecksumTests {
    /// The table of xxHash's own sanity test: bytes of a multiplicative generator, seeds 0 and 2654435761.
    @Test(
        arguments: [
            (0, 0, 0xEF46_DB37_51D8_E999), (0, 2_654_435_761, 0xAC75_FDA2_929B_17EF),
            (1, 0, 0xE934_A84A_DB05_2768), (1, 2_654_435_761, 0x5014_6076_43A9_B4C3),
            (4, 0, 0x9136_A0DC_A574_57EE), (14, 0, 0x8282_DCC4_994E_35C8),
            (14, 2_654_435_761, 0xC3BD_6BF6_3DEB_6DF0), (222, 0, 0xB641_AE8C_B691_C174),
            (222, 2_654_435_761, 0x20CB_8AB7_AE10_C14A),
        ] as [(Int, UInt64, UInt64)])
    func `published values are met`(_ count: Int, _ seed: UInt64, _ expected: UInt64) {
        var word: UInt64 = 2_654_435_761
        let bytes = (0..<count).map { _ in
            defer { word &*= 0x9E37_79B1_85EB_CA8D }
            return UInt8(word >> 56)
        }
        #expect(XXHash64.hash(Bytes(bytes), seed: seed) == expected)
    }

    @Test func `a text of the published examples is met`() {
        #expect(XXHash64.hash("abc") == 0x44BC_2CF5_AD77_0999)
        #expect(XXHash64.hash("Nobody inspects the spammish repetition") == 0xFBCE_A83C_8A37_8BF1)
    }

    @Test func `the pieces in which bytes arrive do not matter`() {
        let bytes = Bytes((0..<1000).map { UInt8(truncatingIfNeeded: $0 * $0) })
        let whole = XXHash64.hash(bytes)
        for piece in [1, 3, 31, 32, 33, 64, 100, 999] {
            var hash = XXHash64()
            for start in stride(from: 0, to: 1000, by: piece) { hash.update(bytes[start..<min(start + piece, 1000)]) }
            #expect(hash.value == whole, "pieces of \(piece)")
        }
    }
}
