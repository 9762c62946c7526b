import Autodiff
import Batches
import Checkpoints
import Cluster
import Glibc
import Kernels
import Models
import Optimizers
import Recipes

/// Moves a codebook beside the gradient, by the vectors of the whole global batch, and watches how it is used. Sums over ranks
/// have the same bits everywhere, and draws are keyed by step and place in the global batch: the codebook after a step does not
/// depend on the number of ranks.
final class CodebookTraining: StepHook {
    private let average: EMACodebook?
    /// Updates of the codebook plus one; 0 until it stands.
    private let updates: Floats
    private let settings: VQTokenizer.Settings
    private let quantized: Loss.Quantized
    private let cut: BatchCut
    private let communicator: any Communicator
    private let pool: WorkerPool
    private let seed: UInt64
    private let codes, width: Int
    /// Tokens of a sample, samples of a micro-batch, tokens of the global batch.
    private let grid, samples, globalTokens: Int
    /// Counts (K), sums (K, D) and the squared error of this update.
    private let shared: Floats
    /// This rank's vectors of this update.
    private let vectors: Floats
    /// The vectors of the last updates before the codebook's start, in the order of the global batch; none after it.
    private let gathered: Floats
    /// Updates whose vectors are gathered, and the first one after which the codebook stands.
    private let window, start: Int
    /// Updates whose vectors are there.
    private let filled = Floats(zeros: 1)
    /// Updates tried, for codes that have no start.
    private var tried = 0
    /// Since the last log line: counts (K), restarts, updates of the codebook, squared error, samples.
    private let tally: Floats
    private let dead: Indices
    private let drawn: Buffer<Int>
    private let rows: Floats
    private var isWarned = false
    /// The k-means start wants so many vectors for each code.
    private static let vectorsPerCode = 10
    private static let rounds = 10

    init(_ objective: VQTokenizer, _ quantized: Loss.Quantized, _ context: HookContext) throws {
        let (store, cut, communicator) = (context.stores[0], context.cut, context.communicator)
        let shape = quantized.output.vectors.shape
        let sizes = objective.quantizer.settings
        (settings, codes, width) = (objective.settings, sizes.codes, sizes.width)
        (samples, grid) = (shape[0], shape[1])
        globalTokens = samples * grid * cut.ranks * cut.accumulation
        func buffer(_ name: String) -> Floats? { store.buffer("quantizer." + name) }
        if case .average(let isDistance) = sizes.kind, let codes = buffer(VectorQuantizer.codebookName),
            let counts = buffer(VectorQuantizer.sizeName), let sums = buffer(VectorQuantizer.sumName),
            let updates = buffer(VectorQuantizer.updatesName)
        {
            average = EMACodebook(codes: codes, sizes: counts, sums: sums, isDistance: isDistance)
            self.updates = updates
        } else {
            (average, updates) = (nil, Floats([1]))
        }
        start = max(settings.startUpdates, 1)
        let wanted = Self.vectorsPerCode * codes
        window = min(start, (wanted + globalTokens - 1) / globalTokens)
        if average != nil, window * globalTokens < codes {
            throw ModelError(
                "objective.codebook_size", found: "\(codes)", expected: "at most \(window * globalTokens)",
                hint: "codes start at vectors of the first objective.start_updates batches: raise those or the batch")
        }
        shared = try communicator.allocate(codes * (width + 1) + 1)
        gathered = Floats(zeros: average == nil ? 0 : window * globalTokens * width)
        vectors = Floats(zeros: average == nil ? 0 : cut.accumulation * shape.count)
        tally = Floats(zeros: codes + 4)
        (dead, drawn) = (Indices(zeros: codes), Buffer(zeros: codes))
        rows = Floats(zeros: average == nil ? 0 : codes * width)
        (self.quantized, self.cut, seed) = (quantized, cut, context.recipe.seed)
        (self.communicator, pool) = (communicator, context.pool)
    }

    let name = "codebook"

    var reads: [Tensor] { [quantized.output.vectors, quantized.output.ids, quantized.squaredError] }

    private var stands: Bool { updates[0] > 0 }

    func note(_ plan: Plan, _ inputs: StepInputs) {
        let micro = inputs.micro
        if micro == 0 { shared.fill(0) }
        shared[shared.count - 1] += plan.value(of: quantized.squaredError)[0]
        let found = plan.value(of: quantized.output.vectors)
        if average != nil { vectors[micro * found.count..<(micro + 1) * found.count].copy(from: found) }
        guard stands else { return }
        let ids = plan.value(of: quantized.output.ids)
        let (counts, sums) = (shared[0..<codes], shared[codes..<codes * (width + 1)])
        for row in 0..<ids.count {
            let code = Int(ids[row])
            counts[code] += 1
            if average == nil { continue }
            for place in 0..<width { sums[code * width + place] += found[row * width + place] }
        }
    }

    func reduce(_ clock: TrainingClock) throws {
        let step = clock.step
        tried = step + 1
        try communicator.sum(shared)
        // A step whose numbers are none is skipped as a whole.
        guard pool.isFinite(shared) else { return }
        for code in 0..<codes { tally[code] += shared[code] }
        tally[codes + 2] += shared[shared.count - 1]
        tally[codes + 3] += Float(samples * cut.ranks * cut.accumulation)
        guard let average else { return }
        if stands {
            try move(average, step: step)
        } else if step >= start - window, try gather(), Int(filled[0]) == window {
            var random = RandomStream(seed: seed, purpose: .codebook)
            let chosen = Array(random.permutation(gathered.count / width).prefix(codes))
            average.start(from: gathered, rows: chosen, rounds: Self.rounds, tokens: globalTokens, pool: pool)
            updates[0] = 1
        }
    }

    /// Averages, then new places for the codes that nobody wants.
    private func move(_ average: EMACodebook, step: Int) throws {
        let decay = EMACodebook.warmedDecay(settings.decay, update: Int(updates[0]))
        average.blend(
            counts: shared[0..<codes], batchSums: shared[codes..<codes * (width + 1)], decay: decay)
        updates[0] += 1
        tally[codes + 1] += 1
        let threshold = settings.restartShare * Double(globalTokens) / Double(codes)
        let count = min(average.dead(below: threshold, into: dead), globalTokens)
        if count == 0 { return }
        var random = RandomStream(seed: seed, purpose: .codebook, epoch: 1, sample: UInt64(step))
        let rows = rows[0..<count * width]
        rows.fill(0)
        for place in 0..<count {
            // No vector twice: equal codes would leave one of them without use again.
            repeat {
                drawn[place] = random.below(globalTokens)
            } while (0..<place).contains { drawn[$0] == drawn[place] }
            if let own = own(drawn[place]) { rows[place * width..<(place + 1) * width].copy(from: own) }
        }
        // One rank holds each row, the others zeros.
        try communicator.sum(rows)
        for place in 0..<count {
            average.restart(Int(dead[place]), at: rows[place * width..<(place + 1) * width], size: threshold)
        }
        tally[codes] += Float(count)
    }

    /// The vector of a token of the global batch, where this rank has it.
    private func own(_ token: Int) -> Floats? {
        let (part, inside) = (token / (samples * grid), token % (samples * grid))
        guard part / cut.accumulation == cut.rank else { return nil }
        let row = part % cut.accumulation * samples * grid + inside
        return vectors[row * width..<(row + 1) * width]
    }

    /// The vectors of all ranks in the order of the global batch, beside those of earlier updates.
    /// - Returns: false where they are no numbers; the next update takes their place.
    private func gather() throws -> Bool {
        let slot = (start - window + Int(filled[0])) % window
        let all = gathered[slot * globalTokens * width..<(slot + 1) * globalTokens * width]
        all.fill(0)
        all[cut.rank * vectors.count..<(cut.rank + 1) * vectors.count].copy(from: vectors)
        try communicator.sum(all)
        guard pool.isFinite(all) else { return false }
        filled[0] += 1
        return true
    }

    func takeMeasures() -> [Measure] {
        defer { tally.fill(0) }
        var measures: [Measure] = []
        if tally[codes + 3] > 0 {
            let error = Double(tally[codes + 2]) / Double(tally[codes + 3])
            measures.append(.init("psnr", -10 * log10(max(error, 1e-12))))
        }
        let use = CodebookUsage((0..<codes).map { Int(tally[$0]) })
        guard use.tokens > 0 else { return measures }
        measures += [.init("used_codes", Double(use.used)), .init("perplexity", use.perplexity)]
        if tally[codes + 1] > 0 {
            measures.append(.init("restarts_per_update", Double(tally[codes]) / Double(tally[codes + 1])))
        }
        let moved = average == nil ? tried : Int(updates[0])
        isCollapsed = moved > 500 && use.tokens > 20 * codes && 2 * use.used < codes
        return measures
    }

    private var isCollapsed = false

    func takeWarning() -> String? {
        guard isCollapsed, !isWarned else { return nil }
        isWarned = true
        let advice =
            average == nil
            ? "take fewer codes or levels, or the quantizer ema_cosine"
            : "raise objective.restart_share or start_updates, or ask for fewer codes"
        return "less than half of the \(codes) codes are in use: \(advice)"
    }

    /// Vectors gathered over several updates are part of a checkpoint that falls among them.
    private var isGathering: Bool { window > 1 }

    var tensors: [StoredTensor] {
        [StoredTensor("codebook/tally", [tally.count], tally)]
            + (isGathering
                ? [
                    StoredTensor("codebook/gathered", [gathered.count], gathered),
                    StoredTensor("codebook/filled", [1], filled),
                ] : [])
    }

    var memory: [Floats] { [tally] + (isGathering ? [gathered, filled] : []) }
}

/// How often each code of a codebook was chosen.
public struct CodebookUsage: Sendable, Equatable {
    public let tokens, used: Int
    /// e^H of the shares: as many codes in even use would tell as much.
    public let perplexity: Double

    public init(_ counts: [Int]) {
        let total = counts.reduce(0, +)
        tokens = total
        used = counts.count { $0 > 0 }
        perplexity = exp(
            counts.reduce(0.0) { sum, count in
                let share = Double(count) / Double(max(total, 1))
                return count > 0 ? sum - share * log(share) : sum
            })
    }
}
