import Optimizers
import Testing
import Models
import Objectives
import Recipes
import Training

struct ScheduleTests {
    private static let restarts = "Recipes/elr-resnet34-cifar10-sym60-150ep.yaml"
    private static let steps = "Recipes/elr-resnet34-cifar10-sym60-120ep.yaml"
    private static let simMIM = "Recipes/simmim-vit_base-imagenet_1k-800ep.yaml"

    private func frame(
        _ base: Double, warmupStart: Double = 0, warmup: Int = 0, length: Int,
        clock: EpochClock = EpochClock(updates: 10)
    ) -> ScheduleFrame {
        ScheduleFrame(
            base: base, warmupStart: warmupStart, warmup: .epochs(Epochs(warmup)), length: .epochs(Epochs(length)),
            clock: clock)
    }

    private func learningRates(_ path: String, _ changes: [String], perEpoch: Int) throws -> any LearningRateSchedule {
        try shippedRecipe(path, changes).learningRates(EpochClock(updates: perEpoch), Catalog.own.schedules)
    }

    /// Twelve shipped recipes kept the old rate for the first update of a milestone's epoch.
    @Test(arguments: [1, 7, 21, 351])
    func `a milestone acts with the first update of its epoch`(perEpoch: Int) throws {
        let rates = try learningRates(
            Self.steps, ["schedule.milestones_epochs=[1, 5]", "schedule.gamma=0.1"], perEpoch: perEpoch)
        for (milestone, factor) in [(1, 0.1), (5, 0.01)] {
            let first = milestone * perEpoch, base = rates.learningRate(at: 0)
            #expect(abs(rates.learningRate(at: first - 1) - 10 * factor * base) < 1e-12)
            #expect(abs(rates.learningRate(at: first) - factor * base) < 1e-12)
        }
    }

    @Test(arguments: [1, 7, 21, 351])
    func `a step acts with the first update of its epoch, SimMIM's one update later`(perEpoch: Int) throws {
        let step = "schedule={kind: step, step_epochs: 3, milestones_epochs: null, gamma: 0.5}"
        let changed = try learningRates(Self.steps, [step], perEpoch: perEpoch)
        let late = try learningRates(Self.steps, [step, "schedule.form=simmim"], perEpoch: perEpoch)
        let base = changed.learningRate(at: 0)
        for period in 1...3 {
            let (first, factor) = (3 * period * perEpoch, base * [1, 0.5, 0.25, 0.125][period])
            #expect(changed.learningRate(at: first - 1) == 2 * factor && changed.learningRate(at: first) == factor)
            #expect(late.learningRate(at: first) == 2 * factor && late.learningRate(at: first + 1) == factor)
        }
    }

    @Test func `the published SimMIM recipes keep SimMIM's curve`() throws {
        let rates = try learningRates(Self.simMIM, [], perEpoch: 625)
        #expect(rates.learningRate(at: 0) == rates.learningRate(at: 1))
        #expect(abs(rates.learningRate(at: 700 * 625) - 4e-4) < 1e-15)
        #expect(abs(rates.learningRate(at: 700 * 625 + 1) - 4e-5) < 1e-15)
    }

    @Test func `a warm-up before PyTorch's steps rises with the first update`() throws {
        let rates = try learningRates(
            Self.steps, ["schedule.warmup_epochs=2", "schedule.warmup_lr=0", "schedule.base_lr=0.2"], perEpoch: 5)
        #expect(rates.learningRate(at: 0) == 0 && abs(rates.learningRate(at: 5) - 0.1) < 1e-12)
        #expect(rates.learningRate(at: 10) == 0.2)
    }

    @Test func `SimMIM's first two updates run at the warm-up's start`() {
        let schedule = SimMIMSchedule(frame(1.125, warmupStart: 0.125, warmup: 1, length: 4), .cosine(minimum: 0))
        let rates = (0..<3).map { schedule.learningRate(at: $0) }
        #expect(rates[0] == 0.125 && rates[1] == 0.125 && abs(rates[2] - 0.225) < 1e-12)
    }

    @Test func `SimMIM's warm-up start is the same for all layers`() {
        let schedule = SimMIMSchedule(frame(1, warmupStart: 0.125, warmup: 1, length: 4), .cosine(minimum: 0))
        #expect(schedule.learningRate(at: 0, scale: 0.5) == 0.125)
    }

    @Test func `MAE's first update moves nothing and its warm-up ends at the base`() {
        let schedule = MAESchedule(frame(1, warmup: 2, length: 4), minimum: 0)
        #expect(schedule.learningRate(at: 0) == 0 && schedule.learningRate(at: 20) == 1)
        #expect(schedule.learningRate(at: 20, scale: 0.5) == 0.5)
    }

    @Test func `a partial accumulation group does not shift the next epoch`() {
        // 10 micro-batches by 4: two updates an epoch, two micro-batches dropped.
        let clock = EpochClock(microBatches: 10, accumulation: 4)
        let schedule = MAESchedule(frame(1, warmup: 4, length: 8, clock: clock), minimum: 0)
        #expect(clock.updates == 2)
        #expect(schedule.learningRate(at: 1) == 0.1 && schedule.learningRate(at: 2) == 0.25)
    }

    @Test func `SparK runs from a two-hundredth of its base to a thousandth`() {
        let schedule = SparKSchedule(frame(2, warmup: 1, length: 4))
        #expect(abs(schedule.learningRate(at: 0) - 0.01) < 1e-15 && schedule.learningRate(at: 10) == 2)
        #expect(abs(schedule.learningRate(at: 39) - 0.002) < 1e-15)
    }

    @Test func `a recipe's rate falls over a period by whole epochs and begins again`() throws {
        let schedule = try learningRates(Self.restarts, [], perEpoch: 351)
        func isRate(_ rate: Double, epoch: Int, update: Int = 0) -> Bool {
            abs(schedule.learningRate(at: epoch * 351 + update) - rate) < 1e-12
        }
        #expect(isRate(0.02, epoch: 0) && isRate(0.02, epoch: 0, update: 350))
        #expect(isRate(0.0105, epoch: 5) && isRate(0.0105, epoch: 145))
        #expect(!isRate(0.02, epoch: 9, update: 350) && isRate(0.02, epoch: 10))
    }

    @Test(arguments: [
        ["schedule.warmup_epochs=5", "schedule.warmup_lr=0"], ["schedule.cycle_epochs=0"],
        ["schedule.min_lr=1"],
    ])
    func `restarts that contradict the rest are refused`(changes: [String]) {
        #expect(throws: RecipeError.self) { try shippedRecipe(Self.restarts, changes) }
    }

    @Test func `SparK's decay reaches its end with the last update`() {
        let schedule = WeightDecaySchedule(0.04, end: 0.2, over: Updates(40))
        #expect(abs(schedule.value(at: 0) - 0.04) < 1e-15)
        #expect(abs(schedule.value(at: 39) - 0.2) < 1e-15)
    }

    @Test(arguments: [
        ([3, 4, 6, 3], 6), ([3, 4, 23, 3], 12), ([3, 8, 36, 3], 13), ([3, 24, 36, 3], 17),
    ])
    func `SparK groups ResNet blocks as its finetuning does`(_ depths: [Int], _ last: Int) {
        let layers = LayerDecay.sparKResNet(depths: depths)
        #expect(layers.layer(of: "layer4.0.conv1.weight") == last)
        #expect(layers.layer(of: "fc.weight") == last + 1 && layers.last == last + 1)
        #expect(layers.layer(of: "conv1.weight") == 0 && layers.layer(of: "layer1.2.conv1.weight") == 1)
        #expect(layers.layer(of: "layer2.0.conv1.weight") == 2)
        #expect(layers.layer(of: "layer3.\(depths[2] - 1).conv1.weight") == last - 1)
    }

    @Test func `SparK groups ConvNeXt blocks of the third stage by three`() {
        let layers = LayerDecay.sparKConvNeXt(depths: [3, 3, 27, 3])
        #expect(layers.layer(of: "stages.2.26.pwconv1.weight") == 11)
        #expect(layers.layer(of: "downsample_layers.3.1.weight") == 12)
        #expect(layers.layer(of: "stages.3.0.gamma") == 12)
        #expect(layers.scale(of: "head.weight", decay: 0.7) == 1)
    }

    @Test func `a net of an author's own, not of four stages, has a layer for each stage`() {
        let convNeXt = LayerDecay.sparKConvNeXt(depths: [2, 2, 9])
        #expect(convNeXt.last == 4)
        #expect(["downsample_layers.0.0.weight", "stages.0.1.gamma"].map(convNeXt.layer) == [0, 1])
        #expect(["downsample_layers.2.1.weight", "stages.2.8.gamma", "head.weight"].map(convNeXt.layer) == [3, 3, 4])
        let own = LayerDecay.stages(2)
        #expect(["stem.0.weight", "stages.0.3.bias", "stages.1.0.weight", "fc.weight"].map(own.layer) == [0, 1, 2, 3])
        let resNet = LayerDecay.sparKResNet(depths: [2, 3])
        #expect(
            ["conv1.weight", "layer1.1.conv1.weight", "layer2.0.conv1.weight", "layer2.2.conv1.weight", "fc.weight"]
                .map(resNet.layer) == [0, 1, 2, 3, 4])
    }
}

struct DecayRuleTests {
    @Test func `SparK spares every name that contains gamma`() {
        #expect(!DecayRule.sparK.decays("stages.0.0.gamma_matrix", rank: 2))
        #expect(DecayRule.sparK.decays("stages.0.0.pwconv1.weight", rank: 2))
    }

    @Test func `MAE's rule decays a matrix named bias, timm's does not`() {
        #expect(DecayRule.mae.decays("table.bias", rank: 2))
        #expect(!DecayRule.matrices.decays("table.bias", rank: 2))
    }

    @Test func `position bias tables decay in SimMIM's pretraining, as its code has it`() {
        let name = "encoder.layers.0.blocks.0.attn.relative_position_bias_table"
        #expect(DecayRule.simMIMSwin.inside("encoder.").decays(name, rank: 2))
    }
}

struct ProgressTests {
    @Test func `the line tells step, loss, rate, speed and the time left`() {
        let progress = Progress(
            step: 1200, total: 50_000, epoch: 3, loss: 0.43124, rate: 1e-4, imagesPerSecond: 412.3,
            secondsPerStep: 0.1637)
        #expect(
            progress.line == "step 1200/50000  epoch 3  loss 0.4312  lr 1.00e-04  412 images/s  ETA 2:13:09")
    }

    @Test(arguments: [(0.0, "0"), (1e-4, "1.00e-04"), (9.999e-4, "1.00e-03"), (1.5, "1.50e+00"), (2.5e-12, "2.50e-12")])
    func `a rate has two decimals and its exponent`(_ rate: Double, _ text: String) {
        let progress = Progress(
            step: 0, total: 1, epoch: 0, loss: 1, rate: rate, imagesPerSecond: 1.25, secondsPerStep: nil)
        #expect(progress.line == "step 0/1  epoch 0  loss 1.0000  lr \(text)  1.3 images/s  ETA -")
    }

    @Test(arguments: [(45, "45"), (65, "1:05"), (7985, "2:13:05"), (267_000, "3d 02:10:00")])
    func `the time left is read at a glance`(_ seconds: Int, _ text: String) {
        let progress = Progress(
            step: 0, total: seconds, epoch: 0, loss: 1, rate: 0, imagesPerSecond: 0, secondsPerStep: 1)
        #expect(progress.line.hasSuffix("ETA \(text)"))
    }

    @Test func `a loss that is not a number is shown as such`() {
        let progress = Progress(
            step: 0, total: 1, epoch: 0, loss: .nan, rate: 0, imagesPerSecond: 0, secondsPerStep: nil)
        #expect(progress.line.contains("loss nan"))
    }
}
