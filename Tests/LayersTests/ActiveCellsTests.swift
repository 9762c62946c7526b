import Autodiff
import Kernels
import Layers
import Testing

/// What active rows compute is what dense feature maps times the mask give.
@Suite struct ActiveCellsTests {
    private let pool = WorkerPool(threads: 2)

    /// Values of `output` for one set of rows, with parameters that depend on their names only.
    private func run(_ graph: Graph, _ output: Tensor, _ inputs: [(Tensor, [Float])]) throws -> [Float] {
        let store = ParameterStore(graph, minimising: nil, seed: 5, pool: pool)
        let plan = try Plan(graph, minimising: nil, keeping: [output], store: store, pool: pool)
        for (input, values) in inputs { plan.set(input, Floats(values)) }
        plan.forward()
        return plan.value(of: output).array
    }

    private func numbers(_ count: Int) -> [Float] {
        var random = RandomStream(seed: 3, purpose: .procedural)
        return (0..<count).map { _ in Float(random.uniform(-1...1)) }
    }

    /// Positions of the dense feature map in the order of active rows.
    private func positions(_ hidden: [Float], batch: Int, grid: Int, side: Int) -> [Int] {
        let tile = side / grid
        return hidden.indices.filter { hidden[$0] == 0 }.flatMap { cell in
            (0..<tile * tile).map { place in
                let y = cell / grid % grid * tile + place / tile
                return (cell / grid / grid * side + y) * side + cell % grid * tile + place % tile
            }
        }
    }

    @Test(arguments: [
        (Window.same(3), 1), (.same(3, stride: 2), 1), (.same(7), 6), (Window(2, stride: 2), 1), (.same(3), 2),
    ])
    func `a convolution of active rows is the dense one of the masked map`(window: Window, groups: Int) throws {
        let (side, channels, outputs) = (12, 6, 6)
        let hidden: [Float] = [0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 0, 1]
        let active = positions(hidden, batch: 2, grid: 3, side: side)
        var map = numbers(2 * side * side * channels)
        let isActive = Set(active)
        for at in map.indices where !isActive.contains(at / channels) { map[at] = 0 }
        let start = Initializer.uniform(bound: 0.5)

        let dense = Graph()
        let whole = dense.input("x", [2, side * side, channels])
        let layer = Convolution(
            dense.scope["layer"], channels, outputs, window, groups: groups, bias: true, init: start, biasInit: start)
        let y = layer(GridRows(rows: whole, side: side, cells: ActiveCells(all: 2, in: dense)))
        let expected = try run(dense, y.rows, [(whole, map)])

        let sparse = Graph()
        let mask = sparse.input("mask", [2, 3, 3])
        let cells = ActiveCells(mask: mask, visible: 4)
        let rows = sparse.input("x", cells.shape(side: side, channels: channels))
        let same = Convolution(
            sparse.scope["layer"], channels, outputs, window, groups: groups, bias: true, init: start,
            biasInit: start)
        let compact = same(GridRows(rows: rows, side: side, cells: cells))
        let found = try run(
            sparse, compact.rows,
            [(mask, hidden), (rows, active.flatMap { map[$0 * channels..<($0 + 1) * channels] })])

        let places = positions(hidden, batch: 2, grid: 3, side: compact.side)
        let reference = places.flatMap { expected[$0 * outputs..<($0 + 1) * outputs] }
        #expect(found.count == reference.count)
        #expect(zip(found, reference).allSatisfy { abs($0 - $1) <= 1e-5 })
    }

    @Test(arguments: [3, 1]) func `a convolution of a filled map is the convolution after the filling`(kernel: Int)
        throws
    {
        let (side, channels) = (6, 7)
        let hidden: [Float] = [0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 0, 1]
        let start = Initializer.uniform(bound: 0.5)
        let maps = try [true, false].map { fillsFirst in
            let graph = Graph()
            let mask = graph.input("mask", [2, 3, 3])
            let cells = ActiveCells(mask: mask, visible: 4)
            let rows = graph.input("x", cells.shape(side: side, channels: channels))
            let token = graph.scope.parameter("token", [1, channels, 1, 1], start)
            let layer = Convolution(
                graph.scope, channels, 40, .same(kernel), bias: true, init: start, biasInit: start)
            let x = GridRows(rows: rows, side: side, cells: cells)
            let y = fillsFirst ? layer(Densification.fill(x, with: token)) : layer(x, filling: token)
            return try run(graph, y.rows, [(mask, hidden), (rows, numbers(rows.shape.count))])
        }
        #expect(maps[0].count == maps[1].count)
        #expect(zip(maps[0], maps[1]).allSatisfy { abs($0 - $1) <= 1e-5 })
    }

    @Test func `a dense convolution is what its definition says`() throws {
        let (side, channels, outputs) = (5, 3, 4)
        let graph = Graph()
        let x = graph.input("x", [2, side * side, channels])
        let layer = Convolution(graph.scope["layer"], channels, outputs, .same(3), init: .uniform(bound: 0.5))
        let y = layer(GridRows(rows: x, side: side, cells: ActiveCells(all: 2, in: graph)))
        let map = numbers(2 * side * side * channels)
        let found = try run(graph, y.rows, [(x, map)])
        let store = ParameterStore(graph, minimising: nil, seed: 5, pool: pool)
        let weight = try #require(store.value("layer.weight")).array
        for at in found.indices {
            let (row, output) = (at / outputs, at % outputs)
            let (image, top, left) = (row / side / side, row / side % side, row % side)
            var sum = 0.0
            for (down, right) in (0..<9).map({ ($0 / 3 - 1, $0 % 3 - 1) }) {
                let (y, x) = (top + down, left + right)
                guard (0..<side).contains(y), (0..<side).contains(x) else { continue }
                for channel in 0..<channels {
                    let value = map[((image * side + y) * side + x) * channels + channel]
                    sum += Double(value * weight[((output * channels + channel) * 3 + down + 1) * 3 + right + 1])
                }
            }
            #expect(abs(Float(sum) - found[at]) <= 1e-5)
        }
    }

    @Test func `an image that hides nothing is an empty slot`() throws {
        let graph = Graph()
        let mask = graph.input("mask", [2, 2, 2])
        let cells = ActiveCells(mask: mask, visible: 1)
        let rows = graph.input("x", cells.shape(side: 2, channels: 1))
        let token = graph.scope.parameter("token", [1, 1, 1, 1], .constant(9))
        let filled = Densification.fill(GridRows(rows: rows, side: 2, cells: cells), with: token)
        let found = try run(graph, filled.rows, [(mask, [1, 0, 1, 1, 0, 0, 0, 0]), (rows, [5, 6])])
        #expect(found == [9, 5, 9, 9, 6, 9, 9, 9])
    }

    @Test func `a plan that runs forward only normalises with the running statistics`() throws {
        let graph = Graph()
        let x = graph.input("x", [1, 2, 1])
        let y = BatchNorm(graph.scope, 1)(x)
        let found = try run(graph, y, [(x, [3, -1])])
        #expect(found.allSatisfy { $0.isFinite } && abs(found[0] - 3) < 1e-4 && abs(found[1] + 1) < 1e-4)
    }
}
