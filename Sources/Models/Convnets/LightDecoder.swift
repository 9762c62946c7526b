public import Autodiff
import Kernels
public import Layers

/// SparK's decoder: blocks that double the side and halve the channels, dense. A map of the encoder enters where one is
/// given. Names follow keyu-tian/SparK, `dec.{i}.up_sample`, `dec.{i}.conv.{0,1,3,4}`, `proj`.
public struct LightDecoder {
    private let blocks: [LightDecoderBlock]
    private let projection: Convolution

    /// - Parameters:
    ///   - width: channels of the smallest map.
    ///   - doublings: blocks, log2 of the image side over the side of the smallest map.
    public init(_ scope: Scope, width: Int, doublings: Int, channels: Int) {
        blocks = (0..<doublings).map { LightDecoderBlock(scope["dec"][$0], width >> $0, width >> ($0 + 1)) }
        projection = Convolution(
            scope["proj"], width >> doublings, channels, .same(1), bias: true,
            init: .truncatedNormal(std: 0.02, cut: 2))
    }

    /// The output of each block, and the image (B, H·W, C).
    /// - Parameter maps: smallest first, each twice the side of the one before; nil where the encoder has none.
    public func callAsFunction(_ maps: [GridRows?]) -> (blocks: [GridRows], image: GridRows) {
        guard var x = maps.first ?? nil else { preconditionFailure("the smallest map is always given") }
        var outputs: [GridRows] = []
        for (index, block) in blocks.enumerated() {
            if index > 0, index < maps.count, let map = maps[index] { x = x.map { Add()($0, map.rows) } }
            x = block(x)
            outputs.append(x)
        }
        return (outputs, projection(x))
    }
}

/// up_sample → 3×3 → norm → ReLU6 → 3×3 → norm, without an activation at the end.
private struct LightDecoderBlock {
    private let upSample: TransposedConvolution
    private let first, second: (convolution: Convolution, norm: BatchNorm)

    init(_ scope: Scope, _ inputs: Int, _ outputs: Int) {
        let initializer = Initializer.truncatedNormal(std: 0.02, cut: 2)
        upSample = TransposedConvolution(
            scope["up_sample"], inputs, inputs, Window(4, stride: 2, padding: 1),
            init: .normal(std: (2 / Double(16 * inputs)).squareRoot()))
        let parts = scope["conv"]
        first = (Convolution(parts[0], inputs, inputs, .same(3), init: initializer), BatchNorm(parts[1], inputs))
        second = (Convolution(parts[3], inputs, outputs, .same(3), init: initializer), BatchNorm(parts[4], outputs))
    }

    func callAsFunction(_ x: GridRows) -> GridRows {
        let y = first.convolution(upSample(x)).map { first.norm($0, .relu6) }
        return second.convolution(y).map { second.norm($0) }
    }
}
