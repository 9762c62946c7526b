public import Kernels

/// All parameters of a model in one buffer, and their gradients in another, both in the order in which backward
/// finishes the gradients: a bucket is a plain range, and a bucket's end is known before the first step.
public final class ParameterStore {
    public typealias Slot = ParameterLayout.Slot

    public let layout: ParameterLayout
    public let values: Floats
    public let gradients: Floats
    /// In declaration order, which is the order of the reference's state dict.
    public let names: [String]
    public let buffers: [RegisteredBuffer]
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
        let layout = ParameterLayout(graph, flow: flow)
        self.layout = layout
        names = graph.parameters.map(\.name)
        buffers = graph.buffers
        values = Floats(zeros: layout.valueCount)
        gradients = try gradientMemory(layout.gradientCount)
        var bufferValues: [String: Floats] = [:]
        for buffer in graph.buffers {
            if buffer.isConstant { continue }
            let floats = Floats(zeros: buffer.shape.count)
            if case .floats(let initializer) = buffer.content {
                initializer.fill(floats, name: buffer.name, seed: seed, pool: pool)
            }
            bufferValues[buffer.name] = floats
        }
        self.bufferValues = bufferValues
        for slot in layout.slots {
            slot.parameter.initializer.fill(values[slot.range], name: slot.parameter.name, seed: seed, pool: pool)
        }
    }

    /// Names in buffer order: trainable ones first, in gradient-ready order.
    public var slots: [Slot] { layout.slots }

    public func slot(_ name: String) -> Slot? { layout.slot(name) }

    /// The values of a parameter.
    public func value(_ name: String) -> Floats? { slot(name).map { values[$0.range] } }

    /// The gradient of a parameter; nil where it is frozen or the loss does not depend on it.
    public func gradient(_ name: String) -> Floats? {
        slot(name).flatMap { $0.isTrainable ? gradients[$0.range] : nil }
    }

    /// The numbers of a buffer that training moves, such as running statistics.
    public func buffer(_ name: String) -> Floats? { bufferValues[name] }

    /// Running statistics, in declaration order.
    public var statistics: [Floats] { buffers.filter { !$0.isInteger }.compactMap { bufferValues[$0.name] } }
    /// Counters, one float each, in declaration order.
    public var counters: [Floats] { buffers.filter(\.isInteger).compactMap { bufferValues[$0.name] } }

    public var trainableSlots: [Slot] { layout.trainableSlots }
    /// Numbers in all parameters, without padding.
    public var parameterCount: Int { layout.parameterCount }
}
