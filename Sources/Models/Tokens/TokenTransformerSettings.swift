public import Autodiff
import Kernels

extension TokenTransformer {
    /// Input of the encoder.
    public enum Input: String, CaseIterable, Sendable, Decodable {
        /// One id for each place: SeiT++.
        case ids
        /// The code vector of each place, or a mixture of several: SeiT.
        case vectors
    }

    public struct Settings: Sendable, Equatable {
        public var width, depth, heads: Int
        public var input: Input
        /// Tokens along a side of a patch.
        public var patch = 2
        /// Drop rate of the last block, 0..<1; it grows linearly from 0.
        public var dropPathRate = 0.0
        /// Share of the embedded ids' numbers that is dropped in training, 0..<1.
        public var dropout = 0.0

        public init(width: Int, depth: Int, heads: Int, input: Input) {
            (self.width, self.depth, self.heads, self.input) = (width, depth, heads, input)
        }

        /// Initializer of a weight, from its inputs and outputs.
        func initializer(_ inputs: Int, _ outputs: Int) -> Initializer {
            switch input {
            case .ids: .uniform(bound: (6 / Double(inputs + outputs)).squareRoot())
            case .vectors: .truncatedNormal(std: 0.02, cut: 2)
            }
        }

        func check(_ image: ImageSpec) throws(ModelError) {
            guard patch > 0, patch % 2 == 0 || input == .ids, image.side % patch == 0 else {
                throw ModelError(
                    "model.patch_size", found: "\(patch)",
                    expected: "a divisor of the grid's side \(image.side), an even one where patches overlap",
                    hint: "change model.patch_size or tokens.size")
            }
            guard heads > 0, width > 0, width % heads == 0, width % 4 == 0 else {
                throw ModelError(
                    "model.num_heads", found: "\(heads) heads of a width of \(width)",
                    expected: "a divisor of the width, which is a multiple of 4",
                    hint: "each head takes an equal share of the channels")
            }
        }
    }
}

extension TokenTransformer.Settings: EncoderSettings {
    public func encoder(_ scope: Scope, image: ImageSpec, for use: EncoderUse) throws(ModelError) -> any Encoder {
        guard use == .classification || input == .ids else {
            throw ModelError(
                "model.input", found: "vectors", expected: "ids", hint: "masked token modelling predicts ids")
        }
        return try TokenTransformer(scope, self, image: image, for: use)
    }

    public var lineage: [String: String] {
        [
            "width": "\(width)", "depth": "\(depth)", "heads": "\(heads)", "patch": "\(patch)",
            "input": input.rawValue,
        ]
    }
}
