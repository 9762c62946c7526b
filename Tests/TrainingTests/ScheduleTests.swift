import Optimizers
import Testing
import Models
import Recipes
import Training

struct ScheduleTests {
    private static let restarts = "Recipes/elr-resnet34-cifar10-sym60-150ep.yaml"
    private let clock = EpochClock(microBatches: 10)

    @Test func `SimMIM's first two updates run at the warm-up's start`() {
        let curve = SimMIMCurve(.cosine(minimum: 0), warmupStart: 0.125, warmupEpochs: 1, epochs: 4)
        let rates = (0..<3).map { Schedule.simMIM(curve).rate(at: $0, base: 1.125, clock: clock) }
        #expect(rates[0] == 0.125 && rates[1] == 0.125 && abs(rates[2] - 0.225) < 1e-12)
    }

    @Test func `SimMIM's warm-up start is the same for all layers`() {
        let curve = SimMIMCurve(.cosine(minimum: 0), warmupStart: 0.125, warmupEpochs: 1, epochs: 4)
        #expect(Schedule.simMIM(curve).rate(at: 0, base: 1, scale: 0.5, clock: clock) == 0.125)
    }

    @Test func `MAE's first update moves nothing and its warm-up ends at the base`() {
        let schedule = Schedule.mae(minimum: 0, warmupEpochs: 2, epochs: 4)
        #expect(schedule.rate(at: 0, base: 1, clock: clock) == 0)
        #expect(schedule.rate(at: 20, base: 1, clock: clock) == 1)
        #expect(schedule.rate(at: 20, base: 1, scale: 0.5, clock: clock) == 0.5)
    }

    @Test func `a partial accumulation group does not shift the next epoch`() {
        // 10 micro-batches by 4: two updates an epoch, two micro-batches dropped.
        let clock = EpochClock(microBatches: 10, accumulation: 4)
        let schedule = Schedule.mae(minimum: 0, warmupEpochs: 4, epochs: 8)
        #expect(clock.updates == 2)
        #expect(schedule.rate(at: 1, base: 1, clock: clock) == 0.1)
        #expect(schedule.rate(at: 2, base: 1, clock: clock) == 0.25)
    }

    @Test func `SparK runs from a two-hundredth of its base to a thousandth`() {
        let schedule = Schedule.sparK(warmupEpochs: 1, epochs: 4)
        #expect(abs(schedule.rate(at: 0, base: 2, clock: clock) - 0.01) < 1e-15)
        #expect(schedule.rate(at: 10, base: 2, clock: clock) == 2)
        #expect(abs(schedule.rate(at: 39, base: 2, clock: clock) - 0.002) < 1e-15)
    }

    @Test func `a recipe's rate falls over a period by whole epochs and begins again`() throws {
        let (schedule, clock, base) = try shippedRecipe(Self.restarts).rates(perEpoch: 351)
        func isRate(_ rate: Double, epoch: Int, update: Int = 0) -> Bool {
            abs(schedule.rate(at: epoch * 351 + update, base: base, clock: clock) - rate) < 1e-12
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
        let schedule = DecaySchedule.cosine(start: 0.04, end: 0.2, epochs: 4)
        #expect(abs(schedule.value(at: 0, clock: clock) - 0.04) < 1e-15)
        #expect(abs(schedule.value(at: 39, clock: clock) - 0.2) < 1e-15)
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
