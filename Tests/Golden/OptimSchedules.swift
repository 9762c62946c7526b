import Checkpoints
import FoundationEssentials
import Optimizers
import Testing
import Training

/// One table of `schedules.safetensors`: the settings of any of its curves.
struct CurveSettings: Decodable, Sendable {
    let base_lr, lr_scale: [Double]?
    let lr, peak_lr, warmup_lr, min_lr, gamma, lr_min_rate, wd, wd_end, eta_min, factor: Double?
    let epochs, warmup_epochs, warmup_steps, iters_per_epoch, accum_iter, warmup_it, max_it: Int?
    let milestones_updates, milestones: [Int]?
    let T_0, T_max, every_epochs: Int?
    let rows: String?

    /// SimMIM's tables count updates: one update an "epoch" keeps their units.
    private func simMIM(_ shape: SimMIMCurve.Shape) -> Schedule {
        let unit = iters_per_epoch ?? 1
        return .simMIM(
            SimMIMCurve(
                shape, warmupStart: warmup_lr ?? 0, warmupEpochs: Double((warmup_epochs ?? 0) * unit),
                epochs: (epochs ?? 0) * unit))
    }

    func schedule(_ name: String) -> Schedule? {
        switch name {
        case "simmim_cosine": simMIM(.cosine(minimum: min_lr ?? 0))
        case "simmim_multistep": simMIM(.multistep(epochs: milestones_updates ?? [], factor: gamma ?? 0.1))
        case "simmim_linear": simMIM(.linear(end: lr_min_rate ?? 0.01))
        case "spark_pretrain", "spark_finetune": .sparK(warmupEpochs: Double(warmup_it ?? 0), epochs: max_it ?? 0)
        case "mae_periter":
            .mae(minimum: min_lr ?? 0, warmupEpochs: Double(warmup_epochs ?? 0), epochs: epochs ?? 0)
        case "deit_perepoch":
            .deiT(
                warmupStart: warmup_lr ?? 0, minimum: min_lr ?? 0, warmupEpochs: warmup_epochs ?? 0,
                epochs: epochs ?? 0)
        case "crate_supervised": .crate(warmupEpochs: warmup_steps ?? 0, epochs: epochs ?? 0)
        case "elr_cosine_restarts": .warmRestarts(minimum: eta_min ?? 0, periodEpochs: T_0 ?? 10)
        case "elr_multistep": .multistep(epochs: milestones ?? [], factor: gamma ?? 0.1)
        case "torch_cosine": .cosine(minimum: eta_min ?? 0, epochs: T_max ?? 1)
        case "guidance_step": .step(everyEpochs: every_epochs ?? 30, factor: factor ?? 0.1)
        default: nil
        }
    }

    /// Rates of one row: a column per group.
    func columns(_ name: String) -> [(base: Double, scale: Double)] {
        let base = lr ?? peak_lr ?? 0
        if let base_lr { return base_lr.map { ($0, 1) } }
        return (lr_scale ?? [1]).map { (base, $0) }
    }

    /// Epochs between two rows: "every 5th epoch from 0" means 5.
    var rowStride: Int {
        rows?.split(separator: " ").lazy.compactMap { word in Int(word.prefix { $0.isNumber }) }.first ?? 1
    }
}

/// One case of SimMIM's `schedules.json`.
struct SimMIMCase: Decodable, Sendable {
    struct Train: Decodable, Sendable {
        let name: String
        let epochs, warmup_epochs: Int
        let warmup_lr: Double
        let min_lr, gamma, decay_rate: Double?
        let multisteps: [Int]?
        let decay_epochs: Int?
    }
    let name: String
    let n_iter_per_epoch, accumulation_steps: Int
    let train: Train
    let group_base_lrs: [Double]
    let lr_in_force: [[Double]]

    var shape: SimMIMCurve.Shape? {
        switch train.name {
        case "cosine": .cosine(minimum: train.min_lr ?? 0)
        case "linear": .linear(end: 0.01)
        case "step": .step(everyEpochs: train.decay_epochs ?? 1, factor: train.decay_rate ?? 0.1)
        case "multistep": .multistep(epochs: train.multisteps ?? [], factor: train.gamma ?? 0.1)
        default: nil
        }
    }
}

struct SimMIMSchedules: Decodable, Sendable {
    let cases: [SimMIMCase]

    static let all: [SimMIMCase] = {
        let root = ProcessInfo.processInfo.environment["LACUNA_GOLDEN"] ?? "Tests/Golden/Fixtures"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(root)/simmim")) ?? []
        return names.filter { $0.hasPrefix("schedules") && $0.hasSuffix(".json") }.sorted().flatMap { name in
            guard let data = FileManager.default.contents(atPath: "\(root)/simmim/\(name)"),
                let found = try? JSONDecoder().decode(SimMIMSchedules.self, from: data)
            else { return [SimMIMCase]() }
            return found.cases
        }
    }()
}

struct OptimSchedules {
    static let files = optimFiles("optim", [String: CurveSettings].self) {
        !$0.parts(after: "output/").filter { $0.hasSuffix("/lr") }.isEmpty
    }
    static let tables = files.flatMap { file in file.settings.keys.sorted().map { (file, $0) } }

    @Test(arguments: tables)
    func `every row of a table is the rate in force`(_ file: OptimFile<[String: CurveSettings]>, _ name: String) throws
    {
        let settings = try #require(file.settings[name])
        let schedule = try #require(settings.schedule(name), "unknown schedule \(name)")
        let key = try #require(file.parts(after: "output/\(name)/").first { $0.hasPrefix("lr") })
        let table = try file.file.tensor("output/\(name)/\(key)")
        let columns = table.shape.count > 1 ? table.shape[1] : 1
        // Only this table has rows of micro-batches and phases inside an epoch; the others count their own unit.
        let accumulation = settings.accum_iter ?? 1
        let isMicro = settings.rows == "micro-batch"
        let microBatches = isMicro ? settings.iters_per_epoch ?? 1 : 1
        let clock = EpochClock(microBatches: microBatches, accumulation: accumulation)
        for row in 0..<table.shape[0] {
            let position = row * settings.rowStride
            func rate(_ base: Double, _ scale: Double) -> Double {
                schedule.rate(
                    epoch: position / microBatches, microBatch: position % microBatches, base: base, scale: scale,
                    clock: clock)
            }
            // Float32 storage costs 6e-8 relative; the acceptance is 1e-6.
            let reference = table.floats[row * columns..<(row + 1) * columns].map(Double.init)
            if key == "lr_wd_wdNoDecay" {
                let decay = DecaySchedule.cosine(
                    start: settings.wd ?? 0, end: settings.wd_end ?? 0, epochs: settings.max_it ?? 1)
                expectRelative(rate(settings.peak_lr ?? 0, 1), reference[0], 1e-6, "\(name) row \(row)")
                expectRelative(decay.value(at: row, clock: clock), reference[1], 1e-6, "\(name) decay, row \(row)")
                #expect(reference[2] == 0)
                continue
            }
            for (column, group) in settings.columns(name).enumerated() {
                expectRelative(rate(group.base, group.scale), reference[column], 1e-6, "\(name) row \(row)")
            }
        }
    }

    @Test(arguments: SimMIMSchedules.all)
    func `SimMIM's rate in force follows the reference over every micro-batch`(_ golden: SimMIMCase) throws {
        let shape = try #require(golden.shape, "unknown schedule \(golden.train.name)")
        let train = golden.train
        let schedule = Schedule.simMIM(
            SimMIMCurve(
                shape, warmupStart: train.warmup_lr, warmupEpochs: Double(train.warmup_epochs), epochs: train.epochs))
        let count = golden.n_iter_per_epoch
        let clock = EpochClock(microBatches: count, accumulation: max(golden.accumulation_steps, 1))
        for (row, rates) in golden.lr_in_force.enumerated() {
            for (base, reference) in zip(golden.group_base_lrs, rates) {
                let ours = schedule.rate(
                    epoch: row / count, microBatch: row % count, base: base, scale: 1, clock: clock)
                expectRelative(ours, reference, 1e-9, "\(golden.name), micro-batch \(row)")
            }
        }
    }
}
