public import Autodiff

extension ResNet {
    /// The kind of block that a stage is made of.
    public enum Block: String, Sendable, CaseIterable {
        case basic, bottleneck

        /// Channels of a block's output over those of its middle.
        public var expansion: Int { self == .basic ? 1 : 4 }
    }

    /// The layers before the first stage.
    public enum Stem: String, Sendable, CaseIterable {
        /// 7×7 with stride 2, then maximum pooling; the first stage keeps the side.
        case pooled
        /// 3×3 with stride 2; the first stage halves the side too. For small images.
        case small

        var kernel: Int { self == .pooled ? 7 : 3 }
    }

    /// The shape of the network.
    public struct Settings: Sendable, Equatable {
        public var block: Block
        /// Blocks of each stage.
        public var layers: [Int]
        /// Channels of each stage, before the expansion.
        public var channels: [Int]
        public var stem: Stem
        public var stemWidth: Int
        /// Drop rate of the last block, 0..<1; it grows linearly from 0.
        public var dropPathRate = 0.0

        public init(_ block: Block, layers: [Int], channels: [Int], stem: Stem, stemWidth: Int) {
            (self.block, self.layers, self.channels) = (block, layers, channels)
            (self.stem, self.stemWidth) = (stem, stemWidth)
        }

        public init(_ size: Size) {
            switch size {
            case .small16: self.init(.basic, layers: [1, 1, 1], channels: [64, 128, 256], stem: .small, stemWidth: 32)
            default:
                self.init(
                    size == .resnet18 || size == .resnet34 ? .basic : .bottleneck, layers: size.layers,
                    channels: [64, 128, 256, 512], stem: .pooled, stemWidth: 64)
            }
        }

        /// Image pixels along a side of one position of the last map.
        public var ratio: Int { 1 << (channels.count + 1) }

        func check(_ image: ImageSpec) throws(ModelError) {
            guard !layers.isEmpty, layers.count == channels.count, layers.allSatisfy({ $0 > 0 }),
                channels.allSatisfy({ $0 > 0 }), stemWidth > 0
            else {
                throw ModelError(
                    "model.layers", found: "\(layers) blocks and \(channels) channels",
                    expected: "as many blocks as channels, each at least 1", hint: "one number for each stage")
            }
            guard image.side > 0, image.side % ratio == 0 else {
                throw ModelError(
                    "images.size", found: "\(image.side)", expected: "a multiple of the network's stride \(ratio)",
                    hint: "mask cells are \(ratio) pixels wide")
            }
        }
    }

    /// Published depths, and a small net of stride 16 for images of 32 to 64 pixels.
    public enum Size: String, CaseIterable, Sendable, Decodable {
        case resnet18, resnet34, resnet50, resnet101, resnet152, resnet200, small16

        var layers: [Int] {
            switch self {
            case .resnet18: [2, 2, 2, 2]
            case .resnet34, .resnet50: [3, 4, 6, 3]
            case .resnet101: [3, 4, 23, 3]
            case .resnet152: [3, 8, 36, 3]
            case .resnet200: [3, 24, 36, 3]
            case .small16: [1, 1, 1]
            }
        }
    }
}

extension ResNet.Settings: EncoderSettings {
    public func encoder(_ scope: Scope, image: ImageSpec, for use: EncoderUse) throws(ModelError) -> any Encoder {
        try ResNet(scope, self, image: image)
    }

    /// Settings that a net must share to take these weights.
    public var lineage: [String: String] {
        ["block": block.rawValue, "layers": "\(layers)", "channels": "\(channels)", "stem": "\(stemWidth)"]
    }
}
