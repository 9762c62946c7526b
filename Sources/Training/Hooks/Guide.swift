import Autodiff
import Checkpoints
import Cluster
import Glibc
import Kernels
import Layers
import Models
import Objectives
import Recipes

/// The frozen network of a guided run with weights and memory of its own. It sees each batch before the target does and
/// hands over what the target is compared with; nothing of it is trained, averaged or written to checkpoints.
final class Guide {
    let recording: GuidedRecording
    /// Of its weights and statistics: a resumed run has to have the same guide.
    let hash: String
    /// What became of stored weights, on rank 0.
    private(set) var remarks: [String] = []
    private let plan: Plan
    private let settings: Recipe.Guidance
    private let statistics: [(live: Floats, start: Floats)]
    private let noise: Floats?
    private let seed: UInt64
    private let keeps: [(site: Tensor, ones: Floats)]
    private let alpha = Floats(zeros: 1)
    private let accumulation: Int
    /// Distance and undefined share of each pair in this update.
    private let values: Doubles
    /// Of the guide itself, since the last log line.
    private(set) var seconds = 0.0
    private var begun = MonotonicTime.now

    /// Collective. Rank 0 reads the weights, the others get them from there.
    /// - Parameters:
    ///   - readsWeights: false where only the step is timed.
    ///   - options: of the plan that learns, for its sums over ranks.
    init(
        _ recording: GuidedRecording, _ recipe: Recipe, readsWeights: Bool, over communicator: any Communicator,
        pool: WorkerPool, options: PlanOptions
    ) throws {
        let (guide, settings) = (recording.guide, recording.guidance.settings)
        let store = ParameterStore(
            guide.graph, minimising: nil, seed: settings.guideSeed ?? recipe.seed, pool: pool)
        var remarks = recording.guidance.remarks
        try communicator.onRankZero {
            guard readsWeights, let path = settings.guideCheckpoint else { return }
            let report = try StartingWeights(path).load(
                into: store, guide.encoder, as: settings.guideArch, of: recipe)
            remarks += report.lines.map { "guide: " + $0 }
        }
        let buffers = store.buffers.compactMap { store.buffer($0.name) }
        for floats in [store.values] + buffers { try communicator.broadcast(floats.viewed(as: UInt8.self)) }
        hash = String(store.hash, radix: 16)
        if recording.groups.size < 64 {
            remarks.append(
                "\(recording.groups.size) samples are compared with each other: with so few nearly everything looks "
                    + "alike; 256 are usual")
        }
        let usesBatch = settings.guideBn == .batch
        var options = options
        (options.usesBatchStatistics, options.dropsOut) = (usesBatch, false)
        plan = try Plan(
            guide.graph, minimising: nil, keeping: guide.outputs, store: store, pool: pool, options: options)
        statistics = usesBatch ? buffers.map { ($0, Floats($0.array)) } : []
        noise = settings.guideInput == .noise ? Floats(zeros: guide.images.shape.count) : nil
        keeps = guide.graph.dropPaths.map {
            ($0.factors, Floats([Float](repeating: 1, count: $0.factors.shape.count)))
        }
        values = Doubles(zeros: 2 * recording.links.count)
        (seed, accumulation) = (recipe.seed, recipe.batch.gradAccumSteps)
        (self.recording, self.settings, self.remarks) = (recording, settings, remarks)
    }

    /// Whether update `step` of a network, from 0, has a guide.
    func isUsed(at step: Int) -> Bool { settings.stopStep.map { step < $0 } ?? true }

    /// Shows the guide a micro-batch; `bind` hands on what it makes of it.
    /// - Parameter images: those that the target sees, mixed ones too.
    func look(at images: Floats, hiding masks: Floats, micro: Int, _ clock: TrainingClock) {
        let start = MonotonicTime.now
        if micro == 0 { values.fill(0) }
        let (guide, groups) = (recording.guide, recording.groups)
        if let noise {
            let first = (groups.rank * accumulation + micro) * groups.samples
            fill(noise, first: first, step: clock.step)
            plan.set(guide.images, noise)
        } else {
            plan.set(guide.images, images)
        }
        if let mask = guide.mask { plan.set(mask, masks) }
        for keep in keeps { plan.set(keep.site, keep.ones) }
        plan.forward()
        // Only the batch's own statistics count; a guide does not drift.
        for buffer in statistics { buffer.live.copy(from: buffer.start) }
        alpha[0] = factor(at: clock.ownStep)
        seconds += MonotonicTime.now - start
    }

    /// The inputs of the step, once the guide has looked.
    func bind(_ target: Plan) {
        let start = MonotonicTime.now
        for index in recording.links.indices {
            target.set(recording.links[index].comparand, plan.value(of: recording.guide.outputs[index]))
        }
        target.set(recording.alpha, alpha)
        seconds += MonotonicTime.now - start
    }

    /// On the distances of a network's update `step`; 0 when it has no guide while the other one still has.
    private func factor(at step: Int) -> Float {
        guard isUsed(at: step) else { return 0 }
        var factor = settings.alpha
        if settings.reduction == .mean { factor /= Double(recording.links.count) }
        if settings.alphaSchedule == .cosine, let stop = settings.stopStep {
            factor *= 0.5 * (1 + cos(Double.pi * Double(step) / Double(stop)))
        }
        return Float(factor)
    }

    /// clamp(z + 0.1·z', 0, 1) for every pixel: a pure function of (seed, update, place in the global batch).
    private func fill(_ noise: Floats, first: Int, step: Int) {
        let (samples, size) = (recording.groups.samples, noise.count / recording.groups.samples)
        for slot in 0..<samples {
            var random = RandomStream(
                seed: seed, purpose: .guideInput, epoch: UInt32(step), sample: UInt64(first + slot))
            for pixel in stride(from: slot * size, to: (slot + 1) * size, by: 2) {
                let z = random.normals()
                noise[pixel] = Float(min(max(z[0] + 0.1 * z[1], 0), 1))
                if pixel + 1 < (slot + 1) * size { noise[pixel + 1] = Float(min(max(z[2] + 0.1 * z[3], 0), 1)) }
            }
        }
    }

    /// What the target's plan found for the micro-batch shown last.
    func note(_ target: Plan) {
        for index in recording.links.indices {
            let distance = target.value(of: recording.links[index].distance)
            values[2 * index] += Double(distance[0])
            values[2 * index + 1] += Double(distance[1])
        }
    }

    /// Collective. The last update's distance from the guide, the CKA of each pair, the pairs without one, and the share
    /// of the time since the last call that the guide itself took.
    func takeMeasures(over communicator: any Communicator) throws -> [StepRecord.Measure] {
        let total = Doubles(values.array)
        try communicator.sum(total)
        let share = Double(accumulation * (recording.sharers == 1 ? communicator.size : 1))
        let links = recording.links
        let distances = links.indices.map { total[2 * $0] / share }
        let sum = distances.reduce(0, +)
        let now = MonotonicTime.now
        defer { (seconds, begun) = (0, now) }
        let pairs = zip(links, distances).map { link, distance in
            StepRecord.Measure("cka/" + link.pair.name, 1 - distance / Double(recording.guidance.sets(of: link.pair)))
        }
        return [
            .init("guidance", settings.reduction == .mean ? sum / Double(links.count) : sum),
            .init("guidance_undefined", links.indices.reduce(0) { $0 + total[2 * $1 + 1] } / share),
        ] + pairs + [.init("guidance_time_share", seconds / max(now - begun, 1e-9))]
    }
}
