import AllocationCounter
import Autodiff
import Kernels
import Layers
import Testing

/// Compares the gradients of one operation with differences of its output.
///
/// The operation reads `source` tensors, which are parameters and so get gradients, and `constant` tensors. The loss is
/// Σ r·y with fixed random r, summed in Double; its slope along a random direction comes from central differences at
/// two step sizes, extrapolated, so that truncation does not count.
final class GradientCheck {
    let graph = Graph()
    private var sources: [Tensor] = []
    private var constants: [(Tensor, [Float])] = []
    private var random = RandomStream(seed: 2024, purpose: .procedural)
    private let pool: WorkerPool

    init(threads: Int = 1) { pool = WorkerPool(threads: threads) }

    var scope: Scope { graph.scope["layer"] }

    /// A tensor with a gradient, named for messages.
    func source(_ name: String, _ shape: Shape) -> Tensor {
        let tensor = graph.apply(Source(graph.scope.parameter(name, shape, .zeros)))
        sources.append(tensor)
        return tensor
    }

    /// A graph input.
    func constant(_ shape: Shape, _ values: [Float]) -> Tensor {
        let tensor = graph.input("constant", shape)
        bind(tensor, values)
        return tensor
    }

    func bind(_ input: Tensor, _ values: [Float]) { constants.append((input, values)) }

    /// Numbers in -1..<1.
    func numbers(_ count: Int) -> [Float] { (0..<count).map { _ in Float(random.uniform(-1...1)) } }

    /// - Parameters:
    ///   - inputsHaveOtherUses: the sources enter the loss directly too, so that the operation must add its gradients.
    ///   - values: start values of a parameter; random where it gives none.
    func run(
        _ output: Tensor, inputsHaveOtherUses: Bool = false, values: (String) -> [Float]? = { _ in nil },
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let terms = (inputsHaveOtherUses ? [output] + sources : [output]).map { ($0, numbers($0.shape.count)) }
        let totals = terms.map { $0.apply(Total(factors: Floats($1))) }
        let loss = totals.dropFirst().reduce(totals[0]) { $1.apply(Add(), $0) }
        let names = graph.parameters.map(\.name)
        let start = graph.parameters.map { values($0.name) ?? numbers($0.shape.count) }
        func setUp(frozen: String?) throws -> (ParameterStore, Plan) {
            let store = ParameterStore(graph, minimising: loss, seed: 0, pool: pool, isFrozen: { $0 == frozen })
            for (name, values) in zip(names, start) { try #require(store.value(name)).copy(from: values) }
            let plan = try Plan(graph, minimising: loss, keeping: terms.map(\.0), store: store, pool: pool)
            return (store, plan)
        }
        func forward(_ plan: Plan) {
            for (input, values) in constants { plan.set(input, Floats(values)) }
            plan.forward()
        }
        let (store, plan) = try setUp(frozen: nil)
        forward(plan)
        plan.backward()
        let gradients = try names.map { try #require(store.gradient($0), "\($0) gets no gradient").array }
        func measuredLoss() -> Double {
            forward(plan)
            return terms.reduce(0) { sum, term in sum + dot(plan.value(of: term.0).array, term.1) }
        }
        #expect(
            abs(Double(plan.value(of: loss)[0]) - measuredLoss()) < 1e-4 * max(1, abs(measuredLoss())),
            sourceLocation: sourceLocation)
        for (position, name) in names.enumerated() {
            let floats = try #require(store.value(name))
            for _ in 0..<3 {
                let direction = numbers(floats.count)
                func slope(_ step: Float) -> Double {
                    let ends = [step, -step].map { step -> Double in
                        floats.copy(from: zip(start[position], direction).map { $0 + step * $1 })
                        return measuredLoss()
                    }
                    return (ends[0] - ends[1]) / (2 * Double(step))
                }
                let (coarse, fine) = (slope(0x1p-6), slope(0x1p-7))
                let measured = (4 * fine - coarse) / 3
                let claimed = dot(gradients[position], direction)
                let scale = max(1e-2, dot(gradients[position], gradients[position]).squareRoot())
                #expect(
                    abs(measured - claimed) < 5e-4 * scale,
                    "\(name): slope \(measured), gradient \(claimed), scale \(scale)", sourceLocation: sourceLocation)
            }
            floats.copy(from: start[position])
        }
        forward(plan)
        plan.backward(adding: true)
        for (name, once) in zip(names, gradients) {
            let twice = try #require(store.gradient(name)).array
            let scale = once.reduce(1e-6) { max($0, abs($1)) }
            for (first, second) in zip(once, twice) {
                #expect(abs(second - 2 * first) < 1e-5 * scale, "\(name): adding", sourceLocation: sourceLocation)
            }
        }
        let allocations = allocations_of_this_thread()
        plan.forward()
        plan.backward()
        #expect(allocations_of_this_thread() == allocations, "a step allocates", sourceLocation: sourceLocation)
        // Without the gradient of one parameter the others stay the same.
        for frozen in names where names.count > 1 && !inputsHaveOtherUses && canFreeze(frozen) {
            let (store, plan) = try setUp(frozen: frozen)
            forward(plan)
            plan.backward()
            for (name, expected) in zip(names, gradients) where name != frozen {
                #expect(
                    store.gradient(name)?.array == expected, "\(name) without \(frozen)",
                    sourceLocation: sourceLocation)
            }
        }
    }

    /// Names that the operation under test cannot do without; see its precondition.
    var trainsTogether: Set<String> = []
    private func canFreeze(_ name: String) -> Bool { !trainsTogether.contains(name) }

    private func dot(_ x: [Float], _ y: [Float]) -> Double { zip(x, y).reduce(0) { $0 + Double($1.0) * Double($1.1) } }
}

/// A parameter as a tensor.
private struct Source: Operation {
    let parameter: Parameter
    init(_ parameter: Parameter) { self.parameter = parameter }
    var parameters: [Parameter] { [parameter] }
    var keeps: Kept { .nothing }
    func outputShape(of inputs: [Shape]) throws(ShapeError) -> Shape { parameter.shape }
    func forward(_ at: Workspace) { at.output.copy(from: at.values[0]) }
    func backward(_ at: Workspace) {
        guard let gradient = at.gradients[0] else { return }
        at.pool.copy(at.outputGradient, into: gradient, adding: at.addsToParameters[0])
    }
}

/// Σ r·x as a scalar.
private struct Total: Operation {
    let factors: Floats
    var keeps: Kept { .nothing }
    func outputShape(of inputs: [Shape]) throws(ShapeError) -> Shape { [1] }
    func forward(_ at: Workspace) {
        at.output[0] = Float((0..<factors.count).reduce(0.0) { $0 + Double(factors[$1]) * Double(at.inputs[0][$1]) })
    }
    func backward(_ at: Workspace) {
        guard let gradient = at.inputGradients[0] else { return }
        at.pool.copy(factors, into: gradient, adding: at.adds[0], scale: at.outputGradient[0])
    }
}
