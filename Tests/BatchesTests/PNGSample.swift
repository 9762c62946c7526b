import FoundationEssentials
import Testing

/// Small PNG files written with zlib, and their pixels.
struct PNGSample: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let height, width: Int
    let file, rgb: [UInt8]

    init(_ name: String, _ height: Int, _ width: Int, file: String, rgb: [UInt8]) {
        (testDescription, self.height, self.width, self.rgb) = (name, height, width, rgb)
        self.file = bytes(file)
    }

    static let all: [PNGSample] = [
        PNGSample(
            "RGB, all filters", 5, 6,
            file: """
                iVBORw0KGgoAAAANSUhEUgAAAAYAAAAFCAIAAADpOgqxAAAAK0lEQVR42mNgiNrCnbpfrOCUYvVVnbYH5hNfM6rW3xRABUyqqq\
                paWlr6+vomJiZiL6JwrwAAACxJREFUYmLS0tLMXuVLlJSUgBIsLCxAOc5OThYgR15e/s+fP9ry2n/E/gDZAIVzF2OHLgaJAAAA\
                AElFTkSuQmCC
                """,
            rgb: bytes(
                """
                AFq0C2W/FnDKIXvVLIbgN5HrJX/ZNY/pRZ/5Va8JZb8Zdc8pSqT+X7kTdM4oieM9e9UvkOpEb8kjieM9o/1XmvROtA5oqwVflO\
                5Isw1nrwljziiCyiR+6UOd
                """)),
        PNGSample(
            "RGB, fixed codes", 5, 6,
            file: """
                iVBORw0KGgoAAAANSUhEUgAAAAYAAAAFCAIAAADpOgqxAAAANUlEQVR4AQFfAKD/AABatAtlvxZwyiF71SyG4DeR6wAlf9k1j+\
                lFn/lVrwllvxl1zykASqT+X7kTdLJdNYcAAAA1SURBVM4oieM9e9UvkOpEAG/JI4njPaP9V5r0TrQOaKsFXwCU7kizDWevCWPO\
                KILKJH7pQ50ahCwyP/3J3AAAAABJRU5ErkJggg==
                """,
            rgb: bytes(
                """
                AFq0C2W/FnDKIXvVLIbgN5HrJX/ZNY/pRZ/5Va8JZb8Zdc8pSqT+X7kTdM4oieM9e9UvkOpEb8kjieM9o/1XmvROtA5oqwVflO\
                5Isw1nrwljziiCyiR+6UOd
                """)),
        PNGSample(
            "RGB with alpha", 5, 6,
            file: """
                iVBORw0KGgoAAAANSUhEUgAAAAYAAAAFCAYAAABmWJ3mAAAAJ0lEQVR42mNhiNrCwM3NrYGOWVRVVRkEBAQwMFhCVFQUik0YPn\
                36BGaDJaSRkOVZAAAAJ0lEQVSktIBYiuH79+8M2traYBosIS8vz/Dnzx8GbXlthj9if8B8APEaFlXlGo0lAAAAAElFTkSuQmCC
                """,
            rgb: bytes(
                """
                AFq0C2W/FnDKIXvVLIbgN5HrJX/ZNY/pRZ/5Va8JZb8Zdc8pSqT+X7kTdM4oieM9e9UvkOpEb8kjieM9o/1XmvROtA5oqwVflO\
                5Isw1nrwljziiCyiR+6UOd
                """)),
        PNGSample(
            "grey with alpha", 5, 6,
            file: """
                iVBORw0KGgoAAAANSUhEUgAAAAYAAAAFCAQAAADMUVVtAAAAHUlEQVR42mNmYODWELQRC5BJUaxgVmWQFVEQURJRFVEXYa5l5x\
                wAAAAdSURBVLZggDBZRCREmL0YIEwtEU4R5lgGGFNfBADvrAbaYLj/BQAAAABJRU5ErkJggg==
                """,
            rgb: bytes(
                """
                AAAACwsLFhYWISEhLCwsNzc3JSUlNTU1RUVFVVVVZWVldXV1SkpKX19fdHR0iYmJe3t7kJCQb29viYmJo6OjmpqatLS0q6urlJ\
                SUs7Ozr6+vzs7OysrK6enp
                """)),
        PNGSample(
            "RGB of 16 bits", 5, 6,
            file: """
                iVBORw0KGgoAAAANSUhEUgAAAAYAAAAFEAIAAAC5qtbyAAAAOUlEQVR42mNgYIhi3MLEbZRqvN9ELKUg9VSa4rTq6Vdn6JxoO/\
                nglPmvib9f/2FUZahnvMkkYIQPMqkygKDqWy9kAAAAOklEQVQWGOqDoQkYioGhNBgyezGUMy5hVJIEQVUwZAFDLTDklOwEYhaI\
                SfJg+AcMtYEsbSAtBsQQcQAa0SSp4MrP/wAAAABJRU5ErkJggg==
                """,
            rgb: bytes(
                """
                AFq0C2W/FnDKIXvVLIbgN5HrJX/ZNY/pRZ/5Va8JZb8Zdc8pSqT+X7kTdM4oieM9e9UvkOpEb8kjieM9o/1XmvROtA5oqwVflO\
                5Isw1nrwljziiCyiR+6UOd
                """)),
        PNGSample(
            "grey of 16 bits", 5, 6,
            file: """
                iVBORw0KGgoAAAANSUhEUgAAAAYAAAAFEAAAAAATox55AAAAGElEQVR42mNkSOZmgEFG1WQBBhhk9EoWZQDBT0BdzzrMAAAAGE\
                lEQVTMmJ8sxSDF8B2MGackyzP8YYBgAOM7CcVGWOfDAAAAAElFTkSuQmCC
                """,
            rgb: bytes(
                """
                AAAACwsLFhYWISEhLCwsNzc3JSUlNTU1RUVFVVVVZWVldXV1SkpKX19fdHR0iYmJe3t7kJCQb29viYmJo6OjmpqatLS0q6urlJ\
                SUs7Ozr6+vzs7OysrK6enp
                """)),
        PNGSample(
            "grey of 1 bits", 5, 6,
            file: """
                iVBORw0KGgoAAAANSUhEUgAAAAYAAAAFAQAAAABOI6BLAAAAB0lEQVR42mMIYVjB6UbbPgAAAAdJREFUAMYAC4YCTYYFmREAAA\
                AASUVORK5CYII=
                """,
            rgb: bytes(
                """
                AAAA////AAAA////AAAA////////AAAA////AAAA////AAAAAAAA////AAAA////AAAA////////AAAA////AAAA////AAAAAA\
                AA////AAAA////AAAA////
                """)),
        PNGSample(
            "grey of 2 bits", 5, 6,
            file: """
                iVBORw0KGgoAAAANSUhEUgAAAAYAAAAFAgAAAAAJg9qbAAAADElEQVR42mOSFmBavYHp9Qcr4F2mAAAADElEQVSm3RuY1m8AAC\
                dJBjbRfZgyAAAAAElFTkSuQmCC
                """,
            rgb: bytes(
                """
                AAAAVVVVqqqq////AAAAVVVV////AAAAVVVVqqqq////AAAAqqqq////AAAAVVVVqqqq////VVVVqqqq////AAAAVVVVqqqqAA\
                AAVVVVqqqq////AAAAVVVV
                """)),
        PNGSample(
            "grey of 4 bits", 5, 6,
            file: """
                iVBORw0KGgoAAAANSUhEUgAAAAYAAAAFBAAAAACGwy87AAAADElEQVR42mNiXe/JZKxszGTHMbCJAAAADUlEQVRsDMLKTMrGxg\
                Aj0gM8xphZOQAAAABJRU5ErkJggg==
                """,
            rgb: bytes(
                """
                AAAAVVVVqqqq////REREmZmZMzMziIiI3d3dIiIid3d3zMzMZmZmu7u7AAAAVVVVqqqq////mZmZ7u7uMzMziIiI3d3dIiIizM\
                zMERERZmZmu7u7AAAAVVVV
                """)),
        PNGSample(
            "palette of 2 bits", 5, 6,
            file: """
                iVBORw0KGgoAAAANSUhEUgAAAAYAAAAFAgMAAAAbNnV1AAAADFBMVEUHGy9DV2t/k6e7z+NDubITAAAAC0lEQVR42mOQFmDISW\
                DYuN2aNm4AAAAMSURBVIHh2AEGaQEAHDkECqoJqy8AAAAASUVORK5CYII=
                """,
            rgb: bytes(
                """
                BxsvQ1drf5Onu8/jBxsvQ1drQ1drf5Onu8/jBxsvQ1drf5Onf5Onu8/jBxsvQ1drf5Onu8/ju8/jBxsvQ1drf5Onu8/jBxsvBx\
                svQ1drf5Onu8/jBxsvQ1dr
                """)),
        PNGSample(
            "palette of 8 bits", 5, 6,
            file: """
                iVBORw0KGgoAAAANSUhEUgAAAAYAAAAFCAMAAABRhm3UAAAADFBMVEUHGy9DV2t/k6e7z+NDubITAAAADUlEQVR42mNgYGRiZm\
                CEkEwMlXz0SgAAAA1JREFUYJKZAUIyQEQBAxIALGSZ8+kAAAAASUVORK5CYII=
                """,
            rgb: bytes(
                """
                BxsvQ1drf5Onu8/jBxsvQ1drQ1drf5Onu8/jBxsvQ1drf5Onf5Onu8/jBxsvQ1drf5Onu8/ju8/jBxsvQ1drf5Onu8/jBxsvBx\
                svQ1drf5Onu8/jBxsvQ1dr
                """)),
        PNGSample(
            "RGB, dynamic codes", 30, 40,
            file: """
                iVBORw0KGgoAAAANSUhEUgAAACgAAAAeCAIAAADRv8uKAAAA80lEQVR42mNhGCDAAiKMUuB8OTk5ZGk498j8KpvENlyycG5WkN\
                W0dcfwGwUEesoSLMS6kFeKKGVSJkQpU/cDWczOzg4XQWajcHml2MEAuyycKzUbLsjOLodTMcTiAfPx8AhqA3b2CwSMIt3HP4jz\
                8QWqB/U94iyeQ/Wgfko4qEVM2D+zUz2oNxLl45vs1A7qL0Sm6svUDurfxKRqE3b2W9hl5TCC+sn+WSAPgdGTz0xwNhAd+4Fgr5\
                DagCwFRgKo3BIGKSm/aj8ot0UKQz0CgSyWcUxDKsplwPQLEPp+Tk50B8NvBoZ3DEBbI64EoJb7b+QOfUCrBvwVOnxmAAAA9ElE\
                QVQ6Dm2qsINxNcA0MIaAYXALWa8Q0yeqFyDAoBYknKqVaFJk3h2osvoudVO1IDv7N0JBLQcO6g1UL0DuDFC1OOUQURa/EhmQah\
                EY1M+pHtREJq7NA5WqNw9EUBeYIBp7cjgVf6ONj+WI9fGJDTNAGsDoxC8TOBuMDODsHmBD/YEYquwfFG4XiDTah2YCdgSy2D48\
                H+aSy3K8exk+MzDcBCOGt3Irr0MkWjfdr3Zkl5P7CFX4HVRAyT3kZmC4DkaLwbWCqvZ2k6ueexkY9oK59gz/GRieXgchhsVycp\
                FgnUAT9r6/1USLoN5L9VT9loolFwCJDJQTak1peAAAAABJRU5ErkJggg==
                """,
            rgb: blocks(height: 30, width: 40)),
    ]
}

private func bytes(_ base64: String) -> [UInt8] { Array(Data(base64Encoded: base64) ?? Data()) }

/// Flat blocks with a few other pixels: long matches and many codes.
private func blocks(height: Int, width: Int) -> [UInt8] {
    (0..<height * width * 3).map { index in
        let (y, x, c) = (index / 3 / width, index / 3 % width, index % 3)
        let value = x * y % 13 == 0 ? x * y * c : x / 5 * 30 + y / 3 * 7 + c * 50
        return UInt8(value % 256)
    }
}
