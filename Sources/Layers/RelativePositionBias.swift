public import Autodiff
public import Kernels

/// bias[head, i, j] = table[index[i, j], head]: a learned logit for every offset between two tokens of a grid.
/// No input, (h, T, T) out. Keeps nothing. Sources: arXiv 2103.14030 (window), arXiv 2106.08254 (class token).
public struct RelativePositionBias: Operation {
    /// The tokens the table speaks about.
    public enum Tokens: Sendable {
        /// A grid of side × side tokens: (2·side − 1)² offsets.
        case window(side: Int)
        /// A class token before such a grid; three more rows: class to patch, patch to class, class to class.
        case classToken(side: Int)
    }

    private let table: Parameter
    private let index: Indices
    private let tokens: Int
    private let heads: Int

    /// Declares `relative_position_bias_table` [offsets, heads] and the buffer `relative_position_index` [T, T].
    public init(_ scope: Scope, _ tokens: Tokens, heads: Int, init initializer: Initializer) {
        let index = tokens.index
        table = scope.parameter("relative_position_bias_table", [tokens.offsets, heads], initializer)
        _ = scope.buffer("relative_position_index", [tokens.count, tokens.count], integers: index)
        self.index = Indices(index.map { Int32($0) })
        self.tokens = tokens.count
        self.heads = heads
    }

    /// The bias as a tensor (h, T, T); one tensor may serve every block.
    public func callAsFunction(in graph: Graph) -> Tensor { graph.apply(self) }

    public var parameters: [Parameter] { [table] }
    public var keeps: Kept { .nothing }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { [heads, tokens, tokens] }

    public func forward(_ at: Workspace) {
        at.pool.gatherBias(at.values[0], index: index, into: at.output, heads: heads)
    }

    public func backward(_ at: Workspace) {
        guard let gradient = at.gradients[0] else { return }
        at.pool.scatterAddBias(
            at.outputGradient, index: index, into: gradient, adding: at.addsToParameters[0], heads: heads)
    }
}

extension RelativePositionBias.Tokens {
    /// Tokens of the grid, with the class token if there is one.
    public var count: Int {
        switch self {
        case .window(let side): side * side
        case .classToken(let side): side * side + 1
        }
    }

    /// Rows of the table.
    public var offsets: Int {
        switch self {
        case .window(let side): (2 * side - 1) * (2 * side - 1)
        case .classToken(let side): (2 * side - 1) * (2 * side - 1) + 3
        }
    }

    /// The table row of each pair (query, key), row-major.
    public var index: [Int] {
        switch self {
        case .window(let side): return Self.offsets(side)
        case .classToken(let side):
            let patches = side * side
            let window = Self.offsets(side)
            var index = [offsets - 1] + [Int](repeating: offsets - 3, count: patches)
            for query in 0..<patches {
                index.append(offsets - 2)
                index += window[query * patches..<(query + 1) * patches]
            }
            return index
        }
    }

    private static func offsets(_ side: Int) -> [Int] {
        var index: [Int] = []
        for query in 0..<side * side {
            for key in 0..<side * side {
                let down = query / side - key / side + side - 1
                let right = query % side - key % side + side - 1
                index.append(down * (2 * side - 1) + right)
            }
        }
        return index
    }
}
