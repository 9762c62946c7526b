public import Autodiff
import Kernels
import Layers

/// Turns vectors into numbers of a codebook: (B, N, D) to ids (B, N) and the codes in their place, (B, N, D), through
/// which the gradient passes straight.
public struct VectorQuantizer {
    public enum Kind: Sendable, Equatable {
        /// Codes follow the vectors by moving averages: no gradient reaches them, `EMACodebook` moves them.
        case average(isDistance: Bool)
        /// Unit codes that learn by gradient. Source: arXiv 2110.04627.
        case gradient
        /// Each dimension is rounded to its levels; the codebook is a fixed grid. Source: arXiv 2309.15505.
        case levels([Int])
    }

    public struct Settings: Sendable, Equatable {
        public let kind: Kind
        /// K and D.
        public let codes, width: Int
        /// β.
        public let commitment: Double

        public init(_ kind: Kind, codes: Int, width: Int, commitment: Double) {
            (self.kind, self.codes, self.width, self.commitment) = (kind, codes, width, commitment)
        }
    }

    /// Results of a step on a batch.
    public struct Output {
        /// The vectors that are compared with the codes, (B, N, D): L2-normalized where the cosine counts.
        public let vectors: Tensor
        /// Numbers of the codes as floats, (B, N).
        public let ids: Tensor
        /// Input of the decoder.
        public let values: Tensor
        /// Σ over samples, (1); nil for fixed levels.
        public let loss: Tensor?
    }

    public let settings: Settings
    private let codebook: RegisteredBuffer?
    private let embedding: Parameter?
    private let updates: RegisteredBuffer?

    public static let codebookName = "codebook", sizeName = "cluster_size", sumName = "embed_sum"
    public static let updatesName = "updates"

    /// - Parameter scope: `quantizer`.
    public init(_ scope: Scope, _ settings: Settings) {
        self.settings = settings
        let (K, D) = (settings.codes, settings.width)
        switch settings.kind {
        case .average:
            codebook = scope.buffer(Self.codebookName, [K, D], .normal(std: 1))
            _ = scope.buffer(Self.sizeName, [K], .zeros)
            _ = scope.buffer(Self.sumName, [K, D], .zeros)
            // Updates of the codebook since its initialization; 0: it has no codes yet.
            updates = scope.buffer(Self.updatesName, [], .zeros)
            embedding = nil
        case .gradient:
            embedding = scope["embedding"].parameter("weight", [K, D], .normal(std: 1))
            (codebook, updates) = (nil, nil)
        case .levels: (codebook, updates, embedding) = (nil, nil, nil)
        }
    }

    public func callAsFunction(_ z: Tensor) -> Output {
        switch settings.kind {
        case .average(let isDistance):
            guard let codebook, let updates else { preconditionFailure("a codebook that is moved is declared") }
            let vectors = isDistance ? z : L2Normalization(epsilon: 1e-6)(z)
            let codes = BufferTable(codebook)(in: z.graph)
            let ids = VQLookup(isDistance: isDistance)(vectors, among: codes)
            return Output(
                vectors: vectors, ids: ids, values: CodeRows(switchedOn: updates)(vectors, ids, codes),
                loss: CodeLoss(pull: settings.commitment, switchedOn: updates)(vectors, ids, codes))
        case .gradient:
            guard let embedding else { preconditionFailure("a codebook that learns is declared") }
            let vectors = L2Normalization(epsilon: 1e-12)(z)
            let codes = L2Normalization(epsilon: 1e-12)(ParameterTable(embedding)(in: z.graph))
            let fixed = Detached()(codes)
            let ids = VQLookup(isDistance: false)(vectors, among: fixed)
            // The gradient reaches z itself, around the norm.
            return Output(
                vectors: vectors, ids: ids, values: CodeRows()(z, ids, fixed),
                loss: CodeLoss(pull: settings.commitment, push: 1)(vectors, ids, codes))
        case .levels(let levels):
            let values = FiniteScalarQuantization(levels)(z)
            return Output(vectors: values, ids: LevelNumber(levels)(values), values: values, loss: nil)
        }
    }

    /// The codes, (K, D) row by row, where no training moves them.
    public var fixedCodes: [Float]? {
        if case .levels(let levels) = settings.kind { LevelNumber.codes(levels) } else { nil }
    }
}
