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

    /// Parameters without which the operation's other ones are not trained; see its precondition.
    var trainsTogether: Set<String> = []

    /// Parameters that an operation reads as constants: their gradient is 0, whatever the slope.
    var readAsConstants: Set<String> = []

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
        constants.append((tensor, values))
        return tensor
    }

    /// Numbers in -1..<1.
    func numbers(_ count: Int) -> [Float] { (0..<count).map { _ in Float(random.uniform(-1...1)) } }

    /// - Parameter inputsHaveOtherUses: the sources enter the loss directly too, so that the operation must add its
    ///   gradients to theirs.
    func run(
        _ output: Tensor, inputsHaveOtherUses: Bool = false, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let terms = (inputsHaveOtherUses ? [output] + sources : [output]).map { ($0, numbers($0.shape.count)) }
        let totals = terms.map { $0.apply(Total(factors: Floats($1))) }
        let loss = totals.dropFirst().reduce(totals[0]) { $1.apply(Add(), $0) }
        let names = graph.parameters.map(\.name)
        let start = graph.parameters.map { numbers($0.shape.count) }
        func trial(frozen: String? = nil) throws -> Trial {
            let store = ParameterStore(graph, minimising: loss, seed: 0, pool: pool, isFrozen: { $0 == frozen })
            for (name, values) in zip(names, start) { try #require(store.value(name)).copy(from: values) }
            let plan = try Plan(graph, minimising: loss, keeping: terms.map(\.0), store: store, pool: pool)
            return Trial(store: store, plan: plan, constants: constants, terms: terms)
        }
        let whole = try trial()
        let gradients = try whole.gradients(names)
        for (name, gradient) in zip(names, gradients) {
            if readAsConstants.contains(name) {
                #expect(gradient.allSatisfy { $0 == 0 }, "\(name)", sourceLocation: sourceLocation)
                continue
            }
            let scale = max(1e-2, dot(gradient, gradient).squareRoot())
            for _ in 0..<3 {
                let direction = numbers(gradient.count)
                let (measured, claimed) = (try whole.slope(of: name, along: direction), dot(gradient, direction))
                #expect(
                    abs(measured - claimed) < 5e-4 * scale,
                    "\(name): slope \(measured), gradient \(claimed), scale \(scale)", sourceLocation: sourceLocation)
            }
        }
        for (twice, once) in zip(try whole.gradients(names, adding: true), gradients) {
            let largest = once.reduce(1e-6) { max($0, abs($1)) }
            let worst = zip(once, twice).reduce(Float(0)) { max($0, abs($1.1 - 2 * $1.0)) }
            #expect(worst < 1e-5 * largest, "adding", sourceLocation: sourceLocation)
        }
        #expect(whole.allocations() == 0, "a step allocates", sourceLocation: sourceLocation)
        // Without the gradient of one parameter the others stay the same.
        for frozen in names where names.count > 1 && !inputsHaveOtherUses && !trainsTogether.contains(frozen) {
            let others = names.filter { $0 != frozen }
            let expected = zip(names, gradients).filter { $0.0 != frozen }.map(\.1)
            let found = try trial(frozen: frozen).gradients(others)
            #expect(found == expected, "without the gradient of \(frozen)", sourceLocation: sourceLocation)
        }
    }
}

/// One store and plan of a check.
private struct Trial {
    let store: ParameterStore
    let plan: Plan
    let constants: [(Tensor, [Float])]
    let terms: [(Tensor, [Float])]

    func set() {
        for (input, values) in constants { plan.set(input, Floats(values)) }
    }

    func forward() {
        set()
        plan.forward()
    }

    func gradients(_ names: [String], adding: Bool = false) throws -> [[Float]] {
        forward()
        plan.backward(adding: adding)
        return try names.map { try #require(store.gradient($0), "\($0) gets no gradient").array }
    }

    /// Σ r·y in Double.
    func loss() -> Double {
        forward()
        return terms.reduce(0) { sum, term in sum + dot(plan.value(of: term.0).array, term.1) }
    }

    /// The slope of the loss at the present values, from central differences at two steps.
    func slope(of name: String, along direction: [Float]) throws -> Double {
        let floats = try #require(store.value(name))
        let start = floats.array
        func slope(_ step: Float) -> Double {
            let ends = [step, -step].map { step -> Double in
                floats.copy(from: zip(start, direction).map { $0 + step * $1 })
                return loss()
            }
            return (ends[0] - ends[1]) / (2 * Double(step))
        }
        let (coarse, fine) = (slope(0x1p-6), slope(0x1p-7))
        floats.copy(from: start)
        return (4 * fine - coarse) / 3
    }

    /// Allocations of this thread in one step.
    func allocations() -> Int {
        set()
        let before = allocations_of_this_thread()
        plan.forward()
        plan.backward()
        return Int(allocations_of_this_thread() - before)
    }
}

private func dot(_ x: [Float], _ y: [Float]) -> Double { zip(x, y).reduce(0) { $0 + Double($1.0) * Double($1.1) } }

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
