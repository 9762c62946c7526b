import Kernels

/// The places of parameters in the buffers of a `ParameterStore`: trainable ones first, in the order in which
/// backward finishes their gradients. Known without any memory.
public struct ParameterLayout: Sendable {
    public struct Slot: Sendable {
        public let parameter: Parameter
        /// Floats of `values`, and of `gradients` when trainable.
        public let range: Range<Int>
        public let isTrainable: Bool
    }

    /// Slots start at multiples of 64 bytes; the floats between two slots are zero and stay zero.
    private static let alignment = 16

    public let slots: [Slot]
    /// Floats of all parameters and of the trainable ones, with what lies between them.
    public let valueCount, gradientCount: Int
    private let index: [String: Int]

    init(_ graph: Graph, flow: GradientFlow) {
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
        (valueCount, gradientCount) = (end, trainableEnd)
        index = Dictionary(uniqueKeysWithValues: slots.enumerated().map { ($1.parameter.name, $0) })
    }

    public func slot(_ name: String) -> Slot? { index[name].map { slots[$0] } }

    public var trainableSlots: [Slot] { slots.filter(\.isTrainable) }
    /// Numbers in all parameters, without padding.
    public var parameterCount: Int { slots.reduce(0) { $0 + $1.parameter.shape.count } }

    /// Whole parameters in ready order, cut where a bucket has reached its size.
    func buckets(bytes: Int) -> [Range<Int>] {
        var buckets: [Range<Int>] = []
        var start = 0
        let ends = trainableSlots.dropFirst().map(\.range.lowerBound) + [gradientCount]
        for end in ends {
            if (end - start) * MemoryLayout<Float>.stride >= bytes {
                buckets.append(start..<end)
                start = end
            }
        }
        if start < gradientCount { buckets.append(start..<gradientCount) }
        return buckets
    }
}
