import Batches
import FoundationEssentials
import Kernels
import Platform
import Testing

/// timm's operations by the names of their functions: the arguments are final, signs included.
func timmOperation(_ name: String, _ argument: Double?, height: Int, width: Int) -> ImageOperation? {
    let value = argument ?? 0
    return switch timmKind(name)?.operation {
    case .autoContrast: .autoContrast
    case .equalize: .equalize
    case .invert: .invert
    case .rotate: .rotate(degrees: value)
    case .posterize: .posterize(bits: Int(value))
    case .solarize: .solarize(threshold: value)
    case .solarizeAdd: .solarizeAdd(Int(value))
    case .color: .color(value)
    case .contrast: .contrast(value)
    case .brightness: .brightness(value)
    case .sharpness: .sharpness(value)
    case .shearX: .shear(x: value, y: 0)
    case .shearY: .shear(x: 0, y: value)
    case .translateX: .translate(x: value * Double(width), y: 0)
    case .translateY: .translate(x: 0, y: value * Double(height))
    case nil: nil
    }
}

/// The operation, and whether its name says that it is of the increasing set.
func timmKind(_ name: String) -> (operation: TimmOperation, increasing: Bool)? {
    let suffix = "Increasing", increasing = name.hasSuffix(suffix)
    return TimmOperation(rawValue: String(name.dropLast(increasing ? suffix.count : 0))).map { ($0, increasing) }
}

struct TimmFixture: Decodable, Sendable {
    struct Case: Decodable, Sendable {
        let `case`, image: Int
        let op: String
        let level, arg: Double?
        let negated: Bool
        let interpolation: Interpolation
        let fill: [UInt8]
    }
    let cases: [Case]
}

@Test(arguments: ImageFixture<TimmFixture>.all(in: "augmentation"))
func `operations of RandAugment equal the reference byte for byte`(_ fixture: ImageFixture<TimmFixture>) throws {
    for sample in fixture.config.cases {
        var image = try fixture.numberedImage(sample.image)
        let (height, width) = (image.height, image.width)
        let operation = try #require(timmOperation(sample.op, sample.arg, height: height, width: width), "\(sample.op)")
        if let level = sample.level {
            let kind = try #require(timmKind(sample.op))
            #expect(
                kind.operation.at(
                    level: level, increasing: kind.increasing, isNegative: sample.negated, height: height, width: width)
                    == operation, "case \(sample.case) \(sample.op)")
        }
        image.apply(operation, sample.interpolation, fill: SIMD3(sample.fill))
        expectEqual(image, try fixture.tensors.tensor("output/case\(sample.case)"), "case \(sample.case) \(sample.op)")
    }
}

struct LevelFixture: Decodable, Sendable {
    struct Row: Decodable, Sendable {
        let op: String
        let level: Double
        let arg, arg_negated: Double?
    }
    let op_order: [String]
    let rows: [Row]

    static func all() -> [LevelFixture] {
        goldenFiles(in: "augmentation", ending: ".json").compactMap { path in
            guard let bytes = try? MappedFile(path).bytes.array else { return nil }
            return try? JSONDecoder().decode(LevelFixture.self, from: Data(bytes))
        }
    }
}

@Test(arguments: LevelFixture.all()) func `levels mean what they mean in the reference`(_ fixture: LevelFixture) throws
{
    #expect(fixture.op_order.compactMap { timmKind($0)?.operation } == TimmOperation.allCases)
    // One pixel: the arguments of translations are shares.
    for row in fixture.rows {
        let (operation, increasing) = try #require(timmKind(row.op))
        func drawn(_ isNegative: Bool) -> ImageOperation {
            operation.at(level: row.level, increasing: increasing, isNegative: isNegative, height: 1, width: 1)
        }
        #expect(drawn(false) == timmOperation(row.op, row.arg, height: 1, width: 1), "\(row.op) at \(row.level)")
        guard let negated = row.arg_negated else { continue }
        #expect(operation.isSigned(increasing: increasing))
        #expect(drawn(true) == timmOperation(row.op, negated, height: 1, width: 1), "\(row.op) at -\(row.level)")
    }
}

struct BinnedFixture: Decodable, Sendable {
    struct Case: Decodable, Sendable {
        let `case`: Int
        let op: String
        let bin: Int?
        let magnitude: Double
        let interpolation: Interpolation
        let fill: [UInt8]
    }
    let cases: [Case]
    let signed: [String]
    let trivial_augment_wide_magnitudes: [String: [Double]?]
    /// By the side of the image that translations are measured in.
    let moderate: [Int: [String: [Double]?]]

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: Key.self)
        func value<T: Decodable>(_ name: String) throws -> T { try keys.decode(T.self, forKey: Key(stringValue: name)) }
        cases = try value("cases")
        signed = try value("signed")
        trivial_augment_wide_magnitudes = try value("trivial_augment_wide_magnitudes")
        var moderate: [Int: [String: [Double]?]] = [:]
        let prefix = "torchvision_randaugment_magnitudes_"
        for key in keys.allKeys where key.stringValue.hasPrefix(prefix) {
            guard let side = Int(key.stringValue.dropFirst(prefix.count)) else { continue }
            moderate[side] = try value(key.stringValue)
        }
        self.moderate = moderate
    }
}

@Suite struct `policies with bins` {
    @Test(arguments: ImageFixture<BinnedFixture>.all(in: "augmentation"))
    func `operations equal the reference byte for byte`(_ fixture: ImageFixture<BinnedFixture>) throws {
        for sample in fixture.config.cases {
            var image = try fixture.numberedImage(0)
            let kind = try #require(BinnedOperation(rawValue: sample.op))
            image.apply(kind.of(magnitude: sample.magnitude), sample.interpolation, fill: SIMD3(sample.fill))
            let place = "case \(sample.case) \(sample.op)"
            expectEqual(image, try fixture.tensors.tensor("output/case\(sample.case)"), place)
            guard let bin = sample.bin else { continue }
            let magnitude = kind.magnitude(bin: bin, .wide, height: image.height, width: image.width)
            #expect(magnitude == abs(sample.magnitude), "\(place)")
        }
    }

    @Test(arguments: ImageFixture<BinnedFixture>.all(in: "augmentation"))
    func `bins stand for the magnitudes of the reference`(_ fixture: ImageFixture<BinnedFixture>) throws {
        let config = fixture.config
        #expect(Set(config.signed) == Set(BinnedOperation.allCases.filter(\.isSigned).map(\.rawValue)))
        let tables =
            [(BinnedOperation.Strength.wide, 1, config.trivial_augment_wide_magnitudes)]
            + config.moderate.map { (.moderate, $0, $1) }
        #expect(tables.count > 1)
        for (strength, side, table) in tables {
            #expect(Set(table.keys) == Set(BinnedOperation.allCases.map(\.rawValue)))
            for (name, magnitudes) in table {
                let kind = try #require(BinnedOperation(rawValue: name))
                for (bin, magnitude) in (magnitudes ?? []).enumerated() {
                    #expect(
                        kind.magnitude(bin: bin, strength, height: side, width: side) == magnitude,
                        "\(name), bin \(bin), \(strength)")
                }
            }
        }
    }
}

struct ThreeAugmentFixture: Decodable, Sendable {
    struct Jitter: Decodable, Sendable {
        let `case`: Int
        let order: [String]
        let brightness, contrast, saturation: Double

        func operation(_ name: String) -> ImageOperation? {
            switch name {
            case "brightness": .brightness(brightness)
            case "contrast": .contrast(contrast)
            case "saturation": .color(saturation)
            default: nil
            }
        }
    }
    let blur_radii: [Double]
    let jitter: [Jitter]
}

@Test(arguments: ImageFixture<ThreeAugmentFixture>.all(in: "augmentation"))
func `three-augment and colour jitter equal the reference byte for byte`(
    _ fixture: ImageFixture<ThreeAugmentFixture>
) throws {
    func expect(_ operations: [ImageOperation], give name: String) throws {
        var image = try fixture.numberedImage(0)
        for operation in operations { image.apply(operation) }
        expectEqual(image, try fixture.tensors.tensor(name), name)
    }
    for (number, radius) in fixture.config.blur_radii.enumerated() {
        try expect([.blur(std: radius)], give: "output/blur\(number)")
    }
    for sample in fixture.config.jitter {
        let operations = sample.order.compactMap { sample.operation($0) }
        #expect(operations.count == sample.order.count)
        try expect(operations, give: "output/jitter\(sample.case)")
    }
    for name in fixture.tensors.names where name.hasPrefix("output/gray") { try expect([.grayscale], give: name) }
    for name in fixture.tensors.names {
        guard let threshold = Double(name.dropFirst("output/solarize".count)), name.hasPrefix("output/solarize") else {
            continue
        }
        try expect([.solarize(threshold: threshold)], give: name)
    }
}
