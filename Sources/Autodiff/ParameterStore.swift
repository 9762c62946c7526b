public import Kernels

/// All parameters of a model in one buffer, and their gradients in another, both in the order in which backward
/// finishes the gradients: a bucket is a plain range, and a bucket's end is known before the first step.
public final class ParameterStore {
    public struct Slot: Sendable {
        public let parameter: Parameter
        /// Floats of `values`, and of `gradients` when trainable.
        public let range: Range<Int>
        public let isTrainable: Bool
    }

    /// Slots start at multiples of 64 bytes; the floats between two slots are zero and stay zero.
    private static let alignment = 16

    public let values: Floats
    public let gradients: Floats
    /// In buffer order: trainable ones first, in gradient-ready order.
    public let slots: [Slot]
    /// In declaration order, which is the order of the reference's state dict.
    public let names: [String]
    public let buffers: [RegisteredBuffer]
    private let index: [String: Int]
    private let bufferValues: [String: Floats]

    public convenience init(
        _ graph: Graph, minimising loss: Tensor?, seed: UInt64, pool: WorkerPool,
        isFrozen: (String) -> Bool = { _ in false }
    ) {
        self.init(
            graph, minimising: loss, seed: seed, pool: pool, isFrozen: isFrozen, gradientMemory: { Floats(zeros: $0) })
    }

    /// - Parameters:
    ///   - isFrozen: names that get no gradient.
    ///   - gradientMemory: where the gradients live; a cluster hands out memory that its ranks share.
    public init(
        _ graph: Graph, minimising loss: Tensor?, seed: UInt64, pool: WorkerPool, isFrozen: (String) -> Bool,
        gradientMemory: (Int) throws -> Floats
    ) rethrows {
        let flow = GradientFlow(graph, loss: loss?.id, wanted: [], isFrozen: isFrozen)
        let trainable = Set(flow.readyOrder)
        let byName = Dictionary(graph.parameters.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let order = flow.readyOrder + graph.parameters.map(\.name).filter { !trainable.contains($0) }
        var slots: [Slot] = []
        var (end, trainableEnd) = (0, 0)
        for name in order {
            guard let parameter = byName[name] else { continue }
            let isTrainable = trainable.contains(name)
            slots.append(Slot(parameter: parameter, range: end..<end + parameter.shape.count, isTrainable: isTrainable))
            end = (end + parameter.shape.count + Self.alignment - 1) / Self.alignment * Self.alignment
            if isTrainable { trainableEnd = end }
        }
        self.slots = slots
        names = graph.parameters.map(\.name)
        buffers = graph.buffers
        index = Dictionary(uniqueKeysWithValues: slots.enumerated().map { ($1.parameter.name, $0) })
        values = Floats(zeros: end)
        gradients = try gradientMemory(trainableEnd)
        var bufferValues: [String: Floats] = [:]
        for buffer in graph.buffers {
            guard case .floats(let start) = buffer.content else { continue }
            let floats = Floats(zeros: buffer.shape.count)
            start.fill(floats, name: buffer.name, seed: seed, pool: pool)
            bufferValues[buffer.name] = floats
        }
        self.bufferValues = bufferValues
        for slot in slots {
            slot.parameter.start.fill(values[slot.range], name: slot.parameter.name, seed: seed, pool: pool)
        }
    }

    public func slot(_ name: String) -> Slot? { index[name].map { slots[$0] } }

    /// The values of a parameter.
    public func value(_ name: String) -> Floats? { slot(name).map { values[$0.range] } }

    /// The gradient of a parameter; nil where it is frozen or the loss does not depend on it.
    public func gradient(_ name: String) -> Floats? {
        slot(name).flatMap { $0.isTrainable ? gradients[$0.range] : nil }
    }

    /// The numbers of a float buffer, such as running statistics.
    public func buffer(_ name: String) -> Floats? { bufferValues[name] }

    public var trainableSlots: [Slot] { slots.filter(\.isTrainable) }
    /// Numbers in all parameters, without padding.
    public var parameterCount: Int { slots.reduce(0) { $0 + $1.parameter.shape.count } }
}
