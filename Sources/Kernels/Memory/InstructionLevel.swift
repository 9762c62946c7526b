import CKernels

/// The instruction set that the C kernels use: x86-64 baseline, v3 (AVX2) or v4 (AVX-512).
public enum InstructionLevel: String, CaseIterable, Sendable, Comparable {
    case baseline, v3, v4

    /// The highest level that this processor runs.
    public static var detected: InstructionLevel {
        switch ck_detected_level() {
        case CK_V4: .v4
        case CK_V3: .v3
        default: .baseline
        }
    }

    public static func < (left: InstructionLevel, right: InstructionLevel) -> Bool {
        left.raw.rawValue < right.raw.rawValue
    }

    var raw: ck_level {
        switch self {
        case .baseline: CK_BASELINE
        case .v3: CK_V3
        case .v4: CK_V4
        }
    }

    /// The kernels of this level.
    var table: UnsafePointer<ck_table> { ck_table_for(raw) }
}
