public import Kernels

/// A recorded computation: what a model does, written down once. Plans run it.
public final class Graph {
    struct Node {
        let operation: any Operation
        let inputs: [Int]
        let output: Int
        let name: String
        let region: Int?
    }

    struct Value {
        let shape: Shape
        let name: String
        /// The node that writes it; nil for an input.
        let producer: Int?
    }

    private(set) var nodes: [Node] = []
    private(set) var values: [Value] = []
    private(set) var problems: [String] = []
    private(set) var indexInputs: [IndexInput] = []
    /// Parameters in order of declaration, which is the order of the reference's state dict.
    public private(set) var parameters: [Parameter] = []
    public private(set) var buffers: [RegisteredBuffer] = []
    public private(set) var dropPaths: [DropPathInput] = []
    /// Two words for each sample, which the trainer writes at each step; nil without dropout.
    public private(set) var dropoutKeys: IndexInput?
    private var dropoutSites: UInt32 = 0
    private var poisoned: Set<Int> = []
    private var declared: [String: Int] = [:]
    private var region: Int?
    private var regions = 0
    private var place = ""
    private var watcher: ((IntermediateFeature) -> Void)?

    public init() {}

    /// The scope of names without a prefix.
    public var scope: Scope { Scope(graph: self, path: "") }

    /// Floats that each step brings along.
    public func input(_ name: String, _ shape: Shape) -> Tensor { value(shape, name: name, producer: nil) }

    /// Int32 numbers that each step brings along.
    public func indices(_ name: String, count: Int) -> IndexInput {
        let input = IndexInput(name: name, count: count, id: indexInputs.count)
        indexInputs.append(input)
        return input
    }

    /// A stochastic-depth site for `samples` samples; the trainer writes its factors.
    public func dropPath(dropRate: Double, samples: Int) -> Tensor {
        let factors = input("dropPath.\(dropPaths.count)", [samples])
        dropPaths.append(DropPathInput(factors: factors, dropRate: dropRate))
        return factors
    }

    /// A dropout site for `samples` samples: every site of a graph reads the same keys and has a number of its own.
    public func dropout(samples: Int) -> DropoutSite {
        let keys = dropoutKeys ?? indices("dropout", count: 2 * samples)
        precondition(keys.count == 2 * samples, "dropout for batches of different size")
        dropoutKeys = keys
        dropoutSites += 1
        return DropoutSite(keys: keys, number: dropoutSites)
    }

    /// Whether a plan finds blocks that it can compute again, as `PlanOptions.recomputesBlocks` says.
    public var hasBlocks: Bool { regions > 0 }

    /// Records a block of a network. A plan may drop its inner values after forward and compute them again, to the same
    /// bits, just before their backward: the block has no running statistics.
    public func block<Result>(_ body: () -> Result) -> Result {
        precondition(region == nil, "blocks do not nest")
        region = regions
        regions += 1
        defer { region = nil }
        return body()
    }

    func record(_ operation: some Operation, on inputs: [Tensor]) -> Tensor {
        for tensor in inputs { precondition(tensor.graph === self, "tensors of different graphs") }
        if let parameter = operation.parameters.first { place = parent(of: parameter.name) }
        let kind = String(describing: type(of: operation))
        let name = operation.parameters.isEmpty ? (place.isEmpty ? kind : parent(of: place) + "/" + kind) : place
        let output: Tensor
        do throws(ShapeError) {
            if inputs.contains(where: { poisoned.contains($0.id) }) { throw ShapeError("") }
            let shape = try operation.outputShape(of: inputs.map(\.shape))
            output = value(shape, name: name, producer: nodes.count)
        } catch {
            // The graph goes on with a stand-in, so that one run reports every shape that does not fit.
            output = value(inputs.first?.shape ?? [1], name: name, producer: nodes.count)
            poisoned.insert(output.id)
            if !error.message.isEmpty {
                let found = inputs.map(\.shape.description).joined(separator: ", ")
                problems.append("\(name) (\(kind)): input \(found): \(error.message)")
            }
        }
        nodes.append(
            Node(operation: operation, inputs: inputs.map(\.id), output: output.id, name: name, region: region))
        if let kind = operation.featureKind { output.feature(kind, name) }
        return output
    }

    /// Calls `see` with every feature that `body` records, as soon as it is recorded: what `see` records then lies
    /// right behind it, so that its part of backward lies right before that of the feature.
    public func watching<Result, Failure>(
        _ see: @escaping (IntermediateFeature) -> Void, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(watcher == nil, "one watcher at a time")
        watcher = see
        defer { watcher = nil }
        return try body()
    }

    func show(_ feature: IntermediateFeature) { watcher?(feature) }

    func declare(_ parameter: Parameter) -> Parameter {
        if let earlier = declared[parameter.name] {
            if parameters[earlier].shape != parameter.shape {
                problems.append(
                    "\(parameter.name): declared as \(parameters[earlier].shape) and again as \(parameter.shape)")
            }
        } else {
            declared[parameter.name] = parameters.count
            parameters.append(parameter)
        }
        return parameter
    }

    func declare(_ buffer: RegisteredBuffer) -> RegisteredBuffer {
        buffers.append(buffer)
        return buffer
    }

    private func value(_ shape: Shape, name: String, producer: Int?) -> Tensor {
        values.append(Value(shape: shape, name: name, producer: producer))
        return Tensor(shape: shape, graph: self, id: values.count - 1)
    }

    private func parent(of name: String) -> String {
        name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name
    }
}
