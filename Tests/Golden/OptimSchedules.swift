import Checkpoints
import FoundationEssentials
import Objectives
import Optimizers
import Recipes
import Testing

/// One table of `schedules.safetensors`: the settings of any of its curves.
struct CurveSettings: Decodable, Sendable {
    let base_lr, lr_scale: [Double]?
    let lr, peak_lr, warmup_lr, min_lr, gamma, lr_min_rate, wd, wd_end, eta_min, factor: Double?
    let epochs, warmup_epochs, warmup_steps, iters_per_epoch, accum_iter, warmup_it, max_it: Int?
    let milestones_updates, milestones: [Int]?
    let T_0, T_max, every_epochs: Int?
    let rows: String?

    private var base: Double { base_lr?[0] ?? lr ?? peak_lr ?? 0 }

    /// The recipe of a table; nil for an unknown one.
    func recipe(_ name: String, rows: Int) throws -> Recipe? {
        func made(_ keys: KeyValuePairs<String, Any?>) throws -> Recipe {
            let decay = wd.map {
                "\n"
                    + section(
                        "optimizer",
                        [
                            "kind": "adam", "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": $0,
                            "weight_decay_end": wd_end,
                        ])
            }
            let text = section("schedule", keys).replacing(
                "{", with: "{base_lr: \(base), ", maxReplacements: 1)
            return try Golden.recipe(with: text + (decay ?? ""))
        }
        switch name {
        case "simmim_cosine":
            return try made([
                "kind": "cosine", "form": "simmim", "epochs": epochs, "warmup_epochs": warmup_epochs,
                "warmup_lr": warmup_lr, "min_lr": min_lr,
            ])
        case "simmim_multistep":
            // In epochs, as a recipe gives them.
            let milestones = try #require(milestones_updates).map { $0 / (iters_per_epoch ?? 1) }
            return try made([
                "kind": "multistep", "form": "simmim", "epochs": epochs, "warmup_epochs": warmup_epochs,
                "warmup_lr": warmup_lr, "milestones_epochs": milestones, "gamma": gamma,
            ])
        case "simmim_linear":
            return try made([
                "kind": "linear", "epochs": epochs, "warmup_epochs": warmup_epochs, "warmup_lr": warmup_lr,
                "lr_min_rate": lr_min_rate,
            ])
        case "spark_pretrain", "spark_finetune":
            return try made([
                "kind": "cosine", "form": "spark", "updates": max_it, "warmup_updates": warmup_it,
                "warmup_lr": 0.005 * base, "min_lr": 0.001 * base,
            ])
        case "mae_periter":
            return try made([
                "kind": "cosine", "form": "mae", "epochs": epochs, "warmup_epochs": warmup_epochs, "warmup_lr": 0,
                "min_lr": min_lr,
            ])
        case "deit_perepoch":
            return try made([
                "kind": "cosine", "form": "deit", "epochs": epochs, "warmup_epochs": warmup_epochs,
                "warmup_lr": warmup_lr, "min_lr": min_lr,
            ])
        case "crate_supervised":
            return try made([
                "kind": "cosine", "form": "crate", "epochs": epochs, "warmup_epochs": warmup_steps, "warmup_lr": 0,
                "min_lr": 0,
            ])
        case "elr_cosine_restarts":
            return try made([
                "kind": "warm_restarts", "epochs": rows, "cycle_epochs": T_0, "min_lr": eta_min,
            ])
        case "elr_multistep":
            return try made(["kind": "multistep", "epochs": rows, "milestones_epochs": milestones, "gamma": gamma])
        case "torch_cosine":
            return try made(["kind": "cosine", "form": "torch", "epochs": T_max, "min_lr": eta_min])
        case "guidance_step":
            return try made([
                "kind": "step", "epochs": rows * rowStride, "step_epochs": every_epochs, "gamma": factor,
            ])
        default: return nil
        }
    }

    /// Layer scales of one row's groups.
    var scales: [Double] { base_lr.map { $0.map { $0 / base } } ?? lr_scale ?? [1] }

    /// Tables that count whole epochs.
    static let wholeEpochs: Set = [
        "deit_perepoch", "crate_supervised", "elr_cosine_restarts", "elr_multistep", "torch_cosine", "guidance_step",
    ]

    /// Epochs between two rows: "every 5th epoch from 0" means 5.
    var rowStride: Int {
        rows?.split(separator: " ").lazy.compactMap { word in Int(word.prefix { $0.isNumber }) }.first ?? 1
    }
}

/// The schedule of a configuration of SimMIM.
struct SimMIMTrain: Decodable, Sendable {
    let name: String
    let epochs, warmup_epochs: Int
    let warmup_lr: Double
    let min_lr, gamma, decay_rate: Double?
    let multisteps: [Int]?
    let decay_epochs: Int?
}

/// One case of SimMIM's `schedules.json`.
struct SimMIMCase: Decodable, Sendable {
    let name: String
    let n_iter_per_epoch, accumulation_steps: Int
    let train: SimMIMTrain
    let group_base_lrs: [Double]
    let lr_in_force: [[Double]]

    var clock: EpochClock {
        EpochClock(microBatches: n_iter_per_epoch, accumulation: max(accumulation_steps, 1))
    }

    /// The schedule of the recipe of this case, its base that of the last group.
    var schedule: any LearningRateSchedule {
        get throws { try Golden.schedule(clock, train.keys(base: group_base_lrs.last ?? 0)) }
    }
}

extension SimMIMTrain {
    /// The section `schedule` of a recipe that runs as SimMIM's configuration says.
    func keys(base: Double) -> KeyValuePairs<String, Any?> {
        [
            "kind": name, "base_lr": base, "epochs": epochs, "warmup_epochs": warmup_epochs,
            "warmup_lr": warmup_lr, "min_lr": name == "cosine" ? min_lr : nil,
            "form": name == "linear" ? nil : "simmim", "milestones_epochs": name == "multistep" ? multisteps : nil,
            "step_epochs": name == "step" ? decay_epochs : nil,
            "gamma": name == "multistep" ? gamma : name == "step" ? decay_rate : nil,
        ]
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
        let key = try #require(file.parts(after: "output/\(name)/").first { $0.hasPrefix("lr") })
        let table = try file.file.tensor("output/\(name)/\(key)")
        let rows = table.shape[0], columns = table.shape.count > 1 ? table.shape[1] : 1
        let recipe = try #require(try settings.recipe(name, rows: rows), "unknown schedule \(name)")
        let isByEpoch = CurveSettings.wholeEpochs.contains(name)
        // 21 updates an epoch where the table has only whole ones: the first and the last of them are looked at.
        let clock = EpochClock(
            microBatches: isByEpoch ? 21 : settings.iters_per_epoch ?? 7, accumulation: settings.accum_iter ?? 1)
        let schedule = try recipe.learningRates(clock, Catalog.own.schedules)
        let decays = WeightDecaySchedule(recipe, clock)
        for row in 0..<rows {
            // Float32 storage costs 6e-8 relative; the acceptance is 1e-6.
            let reference = table.floats[row * columns..<(row + 1) * columns].map(Double.init)
            for update in updates(ofRow: row, settings, clock, isByEpoch: isByEpoch) {
                let what = "\(name), update \(update)"
                if key == "lr_wd_wdNoDecay" {
                    expectRelative(schedule.learningRate(at: update), reference[0], 1e-6, what)
                    expectRelative(decays.value(at: update), reference[1], 1e-6, "\(what), weight decay")
                    #expect(reference[2] == 0)
                    continue
                }
                for (column, scale) in settings.scales.enumerated() {
                    expectRelative(schedule.learningRate(at: update, scale: scale), reference[column], 1e-6, what)
                }
            }
        }
    }

    /// The updates that a row speaks of: none where it is of a micro-batch that fills no update.
    private func updates(
        ofRow row: Int, _ settings: CurveSettings, _ clock: EpochClock, isByEpoch: Bool
    ) -> [Int] {
        if isByEpoch {
            let first = row * settings.rowStride * clock.updates
            return [first, first + clock.updates - 1]
        }
        guard settings.rows == "micro-batch" else { return [row] }
        return [update(ofMicroBatch: row, clock)].compactMap { $0 }
    }

    @Test(arguments: SimMIMSchedules.all)
    func `SimMIM's rate in force follows the reference over every update`(_ golden: SimMIMCase) throws {
        let schedule = try golden.schedule
        for (row, rates) in golden.lr_in_force.enumerated() {
            guard let update = update(ofMicroBatch: row, golden.clock) else { continue }
            for (base, reference) in zip(golden.group_base_lrs, rates) {
                let scale = base / (golden.group_base_lrs.last ?? 0)
                expectRelative(
                    schedule.learningRate(at: update, scale: scale), reference, 1e-9,
                    "\(golden.name), micro-batch \(row)")
            }
        }
    }
}

/// The update that a micro-batch of the run belongs to; nil in the partial group at an epoch's end.
func update(ofMicroBatch index: Int, _ clock: EpochClock) -> Int? {
    let group = index % clock.microBatches / clock.accumulation
    return group < clock.updates ? index / clock.microBatches * clock.updates + group : nil
}
