import Autodiff
import Kernels
import Layers
import Models
import Objectives
import Synchronization
import Testing

/// A batch split over ranks, whose batch norms add their sums, gives what one process gives.
@Suite struct SparKRanks {
    static let models = SparKFile<SparKNet>.files(holding: "input/active", "output/to_dec_0", "output/rec")

    @Test(arguments: models, [2, 3])
    func `any split of a batch gives the loss and gradients of the whole`(
        _ golden: SparKFile<SparKNet>, ranks: Int
    ) throws {
        let batch = try golden.active().batch
        let whole = try run(golden, [0..<batch])
        // The first ranks take one image each: parts of different size.
        let firsts = (0..<ranks - 1).map { $0..<$0 + 1 }
        let split = try run(golden, firsts + [ranks - 1..<batch])
        #expect(abs(split.loss - whole.loss) <= 1e-5 * abs(whole.loss))
        let norm = whole.gradients.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
        let difference = zip(split.gradients, whole.gradients).reduce(0) {
            $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1)
        }.squareRoot()
        #expect(difference <= 1e-5 * norm, "gradients: off by \(difference) of \(norm)")
        for (name, ours) in split.buffers { expectWithin(1e-5, ours, whole.buffers[name] ?? [], name) }
    }

    private struct Outcome {
        var loss = 0.0
        var gradients: [Float] = []
        var buffers: [String: [Float]] = [:]
    }

    /// One step of every rank, each on a thread; losses and gradients over the hidden cells of all.
    private func run(_ golden: SparKFile<SparKNet>, _ parts: [Range<Int>]) throws -> Outcome {
        let meeting = Meeting(parts.count)
        let results = Mutex<[Int: Result<(sum: Double, weight: Double, Outcome), any Error>]>([:])
        let threads = parts.indices.map { rank in
            Thread("rank \(rank)") {
                let result = Result { try step(golden, parts[rank], rank, meeting) }
                results.withLock { $0[rank] = result }
            }
        }
        for thread in threads { thread.join() }
        let ranks = try parts.indices.map { rank in try #require(results.withLock { $0[rank] }).get() }
        let weight = ranks.reduce(0) { $0 + $1.weight }
        var outcome = ranks[0].2
        outcome.loss = ranks.reduce(0) { $0 + $1.sum } / weight
        outcome.gradients = outcome.gradients.indices.map { index in
            Float(ranks.reduce(0.0) { $0 + Double($1.2.gradients[index]) } / weight)
        }
        for rank in ranks { #expect(rank.2.buffers == ranks[0].2.buffers, "ranks disagree on running statistics") }
        return outcome
    }

    private func step(
        _ golden: SparKFile<SparKNet>, _ part: Range<Int>, _ rank: Int, _ meeting: Meeting
    ) throws -> (sum: Double, weight: Double, Outcome) {
        let (all, graph, net) = (try golden.active(), Graph(), golden.config)
        let area = all.grid * all.grid
        let active = ActiveMap(
            cells: Array(all.cells[part.lowerBound * area..<part.upperBound * area]), batch: part.count, grid: all.grid)
        let objective = try SparK(
            .init(maskRatio: try #require(net.mask_ratio), decoderWidth: try #require(net.decoder_width)),
            net.settings(), graph.scope, InputSpec(image: net.image))
        let batch = objective.inputs(graph, batch: part.count)
        let mask = try #require(batch.mask)
        let cells = ActiveCells(mask: mask, total: active.total, isEven: active.isEven)
        let loss = objective.loss(of: objective.predict(batch.images, cells).image, batch.images, mask: mask)
        let pool = WorkerPool(threads: 1)
        let store = ParameterStore(graph, minimising: loss.sum, seed: 0, pool: pool)
        try golden.load(into: store)
        var options = PlanOptions()
        options.sumOverRanks = { meeting.sum($0, rank: rank) }
        let plan = try Plan(
            graph, minimising: loss.sum, keeping: [loss.sum, loss.weight], store: store, pool: pool, options: options)
        let images = try golden.file.tensor("input/images")
        let pixels = channelsLast(images.floats, images.shape)
        let size = pixels.count / all.batch
        plan.set(mask, active.hidden)
        plan.set(batch.images, Floats(Array(pixels[part.lowerBound * size..<part.upperBound * size])))
        plan.forward()
        plan.backward()
        var outcome = Outcome()
        outcome.gradients = store.gradients.array
        for buffer in store.buffers { outcome.buffers[buffer.name] = store.buffer(buffer.name)?.array }
        return (Double(plan.value(of: loss.sum)[0]), Double(plan.value(of: loss.weight)[0]), outcome)
    }
}
