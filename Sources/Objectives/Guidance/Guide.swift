import Autodiff
import Batches
import Checkpoints
import Cluster
import Glibc
import Kernels
import Layers
import Models
import Optimizers
import Recipes

/// The frozen network of a guided run with weights and memory of its own. It sees each batch before the target does and
/// hands over what the target is compared with; nothing of it is trained, averaged or written to checkpoints.
final class Guide: StepHook {
    let name = "guide"
    let remarks: [String]
    private let recording: GuidedRecording
    /// Content hash of its weights and statistics: a resumed run has to have the same guide.
    private let hash: String
    private let plan: Plan
    private let settings: Guidance.Settings
    private let statistics: [(live: Floats, start: Floats)]
    private let noise: Floats?
    private let seed: UInt64
    private let keeps: [(site: Tensor, ones: Floats)]
    private let alpha = Floats(zeros: 1)
    private let accumulation: Int
    private let communicator: any Communicator
    /// Distance and undefined share of each pair in this update.
    private let values: Doubles
    /// Time of the guide itself since the last log line.
    private var seconds = 0.0
    private var begun = MonotonicTime.now

    /// Collective. Rank 0 reads the weights, the others get them from there.
    init(_ recording: GuidedRecording, _ context: HookContext) throws {
        let (recipe, communicator, pool) = (context.recipe, context.communicator, context.pool)
        let (guide, settings) = (recording.guide, recording.guidance.settings)
        let store = ParameterStore(
            guide.graph, minimising: nil, seed: settings.guideSeed ?? recipe.seed, pool: pool)
        var remarks = recording.guidance.remarks
        try communicator.onRankZero {
            guard context.source != nil, let path = settings.guideCheckpoint else { return }
            remarks += try context.read(path, store, guide.encoder, settings.guideArch).map { "guide: " + $0 }
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
        var options = context.options
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
        self.communicator = communicator
    }

    func follows(network: Int) -> Bool { true }

    var reads: [Tensor] { recording.reads }

    var minimised: Tensor? { recording.minimised }

    func isActive(at step: Int) -> Bool { settings.stopStep.map { step < $0 } ?? true }

    var marks: [String: String] { ["guide/hash": hash] }

    /// Shows the guide a micro-batch as the target sees it, mixed images too; `bind` hands on what it makes of it.
    func prepare(_ inputs: inout StepInputs) {
        let start = MonotonicTime.now
        let (micro, clock) = (inputs.micro, inputs.clock)
        if micro == 0 { values.fill(0) }
        let (guide, groups) = (recording.guide, recording.groups)
        if let noise {
            let first = (groups.rank * accumulation + micro) * groups.samples
            fill(noise, first: first, step: clock.step)
            plan.set(guide.images, noise)
        } else {
            plan.set(guide.images, inputs.images)
        }
        if let mask = guide.mask { plan.set(mask, inputs.batch.masks) }
        for keep in keeps { plan.set(keep.site, keep.ones) }
        plan.forward()
        // Only the batch's own statistics count; a guide does not drift.
        for buffer in statistics { buffer.live.copy(from: buffer.start) }
        alpha[0] = factor(at: clock.ownStep)
        seconds += MonotonicTime.now - start
    }

    func bind(_ target: Plan) {
        let start = MonotonicTime.now
        for index in recording.links.indices {
            target.set(recording.links[index].comparand, plan.value(of: recording.guide.outputs[index]))
        }
        target.set(recording.alpha, alpha)
        seconds += MonotonicTime.now - start
    }

    /// Factor on the distances of a network's update `step`; 0 when it has no guide while the other one still has.
    private func factor(at step: Int) -> Float {
        guard isActive(at: step) else { return 0 }
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

    func note(_ target: Plan, _ inputs: StepInputs) {
        for index in recording.links.indices {
            let distance = target.value(of: recording.links[index].distance)
            values[2 * index] += Double(distance[0])
            values[2 * index + 1] += Double(distance[1])
        }
    }

    /// The last update's distance from the guide, the CKA of each pair, the pairs without one, and the share
    /// of the time since the last call that the guide itself took.
    func takeMeasures() throws -> [Measure] {
        let total = Doubles(values.array)
        try communicator.sum(total)
        let share = Double(accumulation * (recording.sharers == 1 ? communicator.size : 1))
        let links = recording.links
        let distances = links.indices.map { total[2 * $0] / share }
        let sum = distances.reduce(0, +)
        let now = MonotonicTime.now
        defer { (seconds, begun) = (0, now) }
        let pairs = zip(links, distances).map { link, distance in
            Measure("cka/" + link.pair.name, 1 - distance / Double(recording.guidance.sets(of: link.pair)))
        }
        return [
            .init("guidance", settings.reduction == .mean ? sum / Double(links.count) : sum),
            .init("guidance_undefined", links.indices.reduce(0) { $0 + total[2 * $1 + 1] } / share),
        ] + pairs + [.init("guidance_time_share", seconds / max(now - begun, 1e-9))]
    }
}
