public import Autodiff
public import Checkpoints
public import Kernels
import Platform
public import Recipes

extension ParameterStore {
    /// One number for all weights and buffers.
    public var hash: UInt64 {
        let parts = [values] + buffers.compactMap { buffer($0.name) }
        return XXHash64.hash(words: parts.map { XXHash64.hash($0.viewed(as: UInt8.self)) })
    }

    /// The parameters and buffers under the reference's names: views, but for counters and constant tables.
    public var tensors: [StoredTensor] { tensors(values, statistics: statistics, counters: counters) + tables }

    /// The same of other numbers in this order, such as an average; without constant tables.
    /// - Parameter prefix: stands before every name.
    public func tensors(
        _ values: Floats, statistics: [Floats], counters: [Floats], prefix: String = ""
    ) -> [StoredTensor] {
        let parameters = slots.map { StoredTensor(prefix + $0.parameter.name, $0.parameter.shape, values[$0.range]) }
        var (statistics, counters) = (statistics.makeIterator(), counters.makeIterator())
        return parameters
            + buffers.compactMap { buffer -> StoredTensor? in
                let name = prefix + buffer.name
                switch buffer.content {
                case .integers, .constants: return nil
                case .floats: return statistics.next().map { StoredTensor(name, buffer.shape, $0) }
                case .counter:
                    return counters.next().map { StoredTensor(name, buffer.shape, integers: $0.array.map { Int($0) }) }
                }
            }
    }

    private var tables: [StoredTensor] {
        buffers.compactMap { buffer in
            switch buffer.content {
            case .integers(let table): StoredTensor(buffer.name, buffer.shape, integers: table)
            case .constants(let table): StoredTensor(buffer.name, buffer.shape, Floats(table))
            case .floats, .counter: nil
            }
        }
    }

    /// The memory of counters by name, to be filled from a file.
    /// - Parameter counters: in declaration order.
    public func memory(of counters: [Floats], prefix: String = "") -> [String: Floats] {
        let names = buffers.filter { $0.isInteger && !$0.isConstant }.map { prefix + $0.name }
        return Dictionary(zip(names, counters)) { first, _ in first }
    }
}

extension Recipe {
    /// The recipe that a checkpoint was trained by, with the keys of today.
    /// - Parameter overrides: `a.b=value`, laid over it.
    public static func load(from checkpoint: Checkpoint, overrides: [String] = []) throws -> Recipe {
        let name = "resolved.yaml"
        guard let text = try checkpoint.attachment(name) else {
            throw CheckpointError(
                .mismatched, at: checkpoint.path, found: "no \(name)", expected: "the recipe of its run",
                hint: "it was written by another program")
        }
        return try load(
            checkpoint.path + "/" + name, overrides: overrides, isSaved: true, catalogue: Catalog.kinds
        ) { _, _ in text }
    }

    /// Every key of the recipe that a checkpoint was trained by and its value; of an older schema under the names of today.
    public static func keys(of checkpoint: Checkpoint) throws -> [String: String] {
        let state = checkpoint.state.recipe
        return state["schema"] == "\(currentSchema)" ? state : try load(from: checkpoint).keys
    }
}
