import Cluster
import Kernels
import Platform
import Synchronization
import Testing

@Suite struct SingleProcessTests {
    @Test func `one process keeps its values in every collective call`() throws {
        let group: any Communicator = try LaunchEnvironment([:]).join()
        let gradients = try group.allocate(3)
        #expect(gradients.array == [0, 0, 0])
        gradients.copy(from: [1, 2, 3])
        try group.sum(gradients)
        #expect(gradients.array == [1, 2, 3])
        #expect(try group.broadcast("text") == "text")
        #expect(try group.gather("text") == ["text"])
        #expect((group.rank, group.size, group.localSize, group.hosts.count) == (0, 1, 1, 1))
    }

    @Test func `the exchange of one process ends at once and changes nothing`() throws {
        let gradients = Floats([1, 2, 3, 4])
        let exchange = try GradientExchange(SingleProcess(), gradients: gradients, buckets: [0..<2, 2..<4])
        exchange.send(bucket: 0)
        exchange.send(bucket: 1)
        try exchange.finish()
        #expect(gradients.array == [1, 2, 3, 4])
        #expect(exchange.waitSeconds == 0)
    }

    @Test func `a loss that is not finite is counted and left out of the sum`() throws {
        let total = try StepStatistics(SingleProcess()).add(loss: .nan, weight: 4, isFinite: true, mustStop: true)
        #expect(total.loss == 0)
        #expect(total.weight == 0)
        #expect(total.ranksWithNonFiniteLoss == 1)
        #expect(total.mustStop)
    }

    @Test(arguments: [
        ["PMIX_RANK": "0"], ["OMPI_COMM_WORLD_SIZE": "1"], ["PMI_SIZE": "4"], ["SLURM_STEP_NUM_TASKS": "2"],
    ])
    func `a launcher is known by its variables`(_ environment: [String: String]) {
        #expect(LaunchEnvironment(environment).isLaunched)
    }

    @Test(arguments: [[:], ["SLURM_NTASKS": "8", "SLURM_PROCID": "0"], ["PMI_SIZE": "1"]])
    func `a plain process is not taken for a rank, in a batch script neither`(_ environment: [String: String]) {
        #expect(!LaunchEnvironment(environment).isLaunched)
    }

    @Test func `the watchdog reports a phase that overruns its deadline`() {
        let heard = Mutex("")
        let done = Monitor(false)
        let watchdog = Watchdog(SingleProcess(), deadlineSeconds: 0.2) { text in
            heard.withLock { $0 = text }
            done.update { $0 = true }
        }
        watchdog.enter(.update, step: 7)
        done.update(when: { $0 }) { _ in }
        #expect(heard.withLock { $0 }.contains("no progress in update of step 7"))
    }

    @Test func `a phase with a longer deadline of its own is left alone`() {
        let spoke = Atomic(false)
        let watchdog = Watchdog(SingleProcess(), deadlineSeconds: 0.1) { _ in spoke.store(true, ordering: .relaxed) }
        watchdog.enter(.checkpoint, step: 1, deadlineSeconds: 60)
        _ = Pause().wait(seconds: 0.5)
        watchdog.close()
        let hasSpoken = spoke.load(ordering: .relaxed)
        #expect(!hasSpoken)
    }
}
