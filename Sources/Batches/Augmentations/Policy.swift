public import Kernels
public import Recipes

/// Random operations on the 8-bit image by one of several published policies.
public enum Policy: ImageAugmentation {
    public typealias Settings = Section
    public static let key = "images.policy"
    public static let meaning = "Random operations of a published policy; absent: none."

    /// The policies that a recipe can name.
    private static let policies: [any ImagePolicy.Type] = [
        RandAugment.self, TorchvisionRandAugment.self, TrivialAugment.self, AutoAugment.self, ThreeAugment.self,
    ]

    /// The settings of each, for `recipe check` and the schema.
    public static var kinds: [String: Catalogue.Kind] {
        Dictionary(uniqueKeysWithValues: policies.map { ($0.kind, $0.entry) })
    }

    public static func join(_ transform: inout ImageTransform, _ section: Section, _ recipe: Recipe) {
        guard let policy = policies.first(where: { $0.kind == section.kind })?.policy(section) else {
            preconditionFailure("a checked recipe names no policy '\(section.kind)'")
        }
        transform.steps.append(policy)
    }
}

/// A policy with its keys.
public protocol ImagePolicy: Augmentation {
    associatedtype Settings: RecipeSection
    /// The policy's name in a recipe.
    static var kind: String { get }
    init(_ settings: Settings)
}

extension ImagePolicy {
    public var purpose: Purpose? { .policy }

    fileprivate static var entry: Catalogue.Kind { .init(Settings.self) }

    fileprivate static func policy(_ section: Section) -> (any Augmentation)? {
        (try? section.decode(Settings.self)).map { Self($0) }
    }
}

/// How the geometric operations of a policy fill in pixels.
public struct WarpStyle: Equatable, Sendable {
    /// The filters that a recipe can name; `random`: bilinear or bicubic for each operation.
    public enum Filter: String, CaseIterable, Decodable, Sendable {
        case nearest, bilinear, bicubic, random
    }

    /// One, or several of which each operation draws one.
    public let interpolations: [Interpolation]
    /// Red, green, blue of what comes from outside the image.
    public let fill: SIMD3<UInt8>

    public init(_ interpolations: [Interpolation], fill: SIMD3<UInt8>) {
        precondition(!interpolations.isEmpty, "at least one interpolation")
        self.interpolations = interpolations
        self.fill = fill
    }

    /// - Parameter fill: red, green, blue, 0 to 255.
    init(_ filter: Filter, fill: [Int]) {
        let interpolations: [Interpolation] =
            switch filter {
            case .nearest: [.nearest]
            case .bilinear: [.bilinear]
            case .bicubic: [.bicubic]
            case .random: [.bilinear, .bicubic]
            }
        self.init(interpolations, fill: SIMD3(UInt8(fill[0]), UInt8(fill[1]), UInt8(fill[2])))
    }

    func draw(_ random: inout RandomStream) -> Interpolation {
        interpolations.count == 1 ? interpolations[0] : interpolations[random.below(interpolations.count)]
    }

    /// The keys that the policies with geometric operations share.
    static let meanings = [
        "interpolation": "Of rotations, shears and shifts; random: bilinear or bicubic for each.",
        "fill": "Red, green, blue, 0 to 255, of what comes from outside the image.",
    ]

    static func check(_ fill: [Int], _ here: Here) {
        here.require(
            fill.count == 3 && fill.allSatisfy { (0...255).contains($0) }, at: "fill",
            "3 numbers from 0 to 255 expected")
    }
}

/// The keys of a policy that has no others than those of its geometric operations.
public struct WarpSettings: RecipeSection {
    let interpolation: WarpStyle.Filter
    let fill: [Int]

    public static var meanings: [String: String] { WarpStyle.meanings }
    public func check(_ here: Here) { WarpStyle.check(fill, here) }
    var style: WarpStyle { WarpStyle(interpolation, fill: fill) }
}
