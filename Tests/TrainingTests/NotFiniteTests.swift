import Batches
import Cluster
import Kernels
import Objectives
import Recipes
import Synchronization
import Testing
import Training

@Suite struct NotFiniteTests {
    /// The rank that looked took part in sums of batch norms and comparisons while the others were further on: the run
    /// hung, or ended over messages of different sizes.
    @Test func `a rank that looks for the first operation without a number asks no other rank`() throws {
        let recipe = try shippedRecipe(
            "Recipes/guided-plain_cnn-by_untrained_resnet-fashion_mnist-5ep.yaml",
            ["batch.global=8", "guidance.cka_batch=8", "guidance.guide_bn=batch"])
        func step(target: Float) throws -> (report: StepReport, sums: [Int], running: [Float]) {
            let batch = Batch(synthetic: BatchShape(size: 4, height: 32, width: 32, targetClasses: 10), seed: 0)
            batch.targets[0] = target
            let ranks = TwinRanks()
            let trainer = try Trainer(
                Experiment(recipe, samples: 4, classes: 10, training: 0), feed: RepeatedBatch(batch),
                updatesPerEpoch: 10, communicator: ranks, pool: WorkerPool(threads: 1))
            let report = try trainer.step()
            let running = trainer.store.statistics + trainer.store.counters
            return (report, ranks.sums.withLock { $0 }, running.flatMap(\.array))
        }
        let (sound, broken) = (try step(target: 1), try step(target: .nan))
        #expect(!sound.report.isSkipped && sound.report.problem == nil)
        #expect(broken.report.isSkipped && broken.report.problem?.hasSuffix("CrossEntropy") == true)
        #expect(sound.sums.count > 100 && broken.sums == sound.sums)
        #expect(broken.running == sound.running)
    }
}

/// The first of two ranks, of which the other one holds the same numbers: a sum doubles them. It notes the size of each.
private final class TwinRanks: Communicator {
    let rank = 0
    let size = 2
    let localRank = 0
    let localSize = 2
    let hosts: [String]
    let node: Node
    let remarks: [String] = []
    let sums = Mutex<[Int]>([])

    init() {
        let alone = SingleProcess()
        (hosts, node) = (alone.hosts + alone.hosts, alone.node)
    }

    func sum(_ floats: Floats) {
        sums.withLock { $0.append(floats.count) }
        for index in 0..<floats.count { floats[index] *= 2 }
    }
    func sum(_ doubles: Doubles) {
        sums.withLock { $0.append(doubles.count) }
        for index in 0..<doubles.count { doubles[index] *= 2 }
    }
    func maximum(_ doubles: Doubles) {}
    func broadcast(_ bytes: Bytes) {}
    func gather(_ text: String) -> [String] { [text, text] }
    func barrier() {}
    func allocate(_ count: Int) -> Floats { Floats(zeros: count) }
    func duplicate() -> any Communicator { TwinRanks() }
    func finish() {}
    func abort(code: Int32) -> Never { preconditionFailure("a rank gave up") }
}
