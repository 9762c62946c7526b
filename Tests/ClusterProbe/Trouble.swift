import Cluster
import Glibc
import Kernels
import Platform

func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

func wallSeconds() -> Double { MonotonicTime.now }

extension ClusterProbe {
    /// Rank 0 comes a second late; the others print the processor time that their wait has cost.
    static func sleepingBarrier(_ group: any Communicator) throws {
        let gradients = try group.allocate(1000)
        try group.barrier()
        let start = processorSeconds()
        if group.rank == 0 { usleep(1_000_000) }
        try group.sum(gradients)
        if group.rank != 0 { print("rank \(group.rank): waited with \(processorSeconds() - start) s") }
    }

    static func preflight(_ group: any Communicator) throws {
        let start = wallSeconds()
        try Preflight(group).check(["program": "abc", "level": "v4"])
        if group.rank == 0 { print("agreed after \(wallSeconds() - start) s") }
        let allowed = try Preflight(group).check(["level": "v\(3 + group.rank % 2)"], mayDiffer: ["level"])
        if group.rank == 0 { print("allowed \(allowed.map(\.item))") }
        try Preflight(group).check(["program": group.rank == 1 ? "xyz" : "abc", "level": "v4"])
    }

    /// The last rank is asked to stop in step 2, rank 0 meets a NaN in step 1.
    static func tally(_ group: any Communicator) throws {
        let request = StopRequest.handlingSignals()
        let tally = StepStatistics(group)
        for step in 0..<5 {
            if step == 2 && group.rank == group.size - 1 { raise(SIGUSR1) }
            let loss = step == 1 && group.rank == 0 ? Double.nan : 2
            let total = try tally.add(loss: loss, weight: 1, isFinite: true, mustStop: request.isSet)
            print(
                "rank \(group.rank) step \(step): \(total.loss) \(total.weight) \(total.ranksWithNonFiniteLoss) stop \(total.mustStop)"
            )
            if total.mustStop { break }
        }
    }

    /// Steps until a signal asks to stop; rank 0 needs a moment more, as for a checkpoint. Ends with code 75.
    static func preempt(_ group: any Communicator) throws {
        let request = StopRequest.handlingSignals()
        let watchdog = Watchdog(group, stop: request)
        let tally = StepStatistics(group)
        var mustStop = false
        for step in 0..<3000 {
            if step == 5 && group.rank == 0 { writeError("running") }
            watchdog.enter(.forward, step: step)
            usleep(10_000)
            mustStop = try tally.add(loss: 1, weight: 1, isFinite: true, mustStop: request.isSet).mustStop
            if mustStop { break }
        }
        watchdog.enter(.checkpoint, step: 0)
        if group.rank == 0 { usleep(1_500_000) }
        try group.barrier()
        if group.rank == 0 { writeError("saved") }
        watchdog.close()
        try group.finish()
        exitAtOnce(mustStop ? 75 : 0)
    }

    static func slow(_ group: any Communicator) throws {
        let times = StepTimes(group)
        for step in 1...50 {
            if let slow = try times.note(seconds: group.rank == 1 ? 1.1 : 0.1) {
                if group.rank == 0 { print("step \(step): \(slow)") }
                break
            }
        }
    }

    /// Steps until rank `who` does `what`: stop (SIGSTOP), kill (SIGKILL) or hang (waits in its own code).
    static func stall(_ group: any Communicator, _ options: [String: String]) throws {
        let deadline = options["deadline"].flatMap { Double($0) } ?? 2
        let who = options["who"].flatMap { Int($0) } ?? 1
        let stop = StopRequest.handlingSignals()
        let watchdog = Watchdog(group, deadlineSeconds: deadline, stop: stop)
        let gradients = try group.allocate(100_000)
        let exchange = try GradientExchange(group, gradients: gradients, buckets: [0..<100_000])
        for step in 0..<1000 {
            watchdog.enter(.forward, step: step)
            usleep(20_000)
            watchdog.enter(.backward, step: step)
            if step == 10 && group.rank == who {
                switch options["what"] {
                case "stop": raise(SIGSTOP)
                case "kill": raise(SIGKILL)
                case "hang": while true { usleep(100_000) }
                default: break
                }
            }
            exchange.send(bucket: 0)
            watchdog.enter(.exchange, step: step)
            try exchange.finish()
            if step == 20 { break }
        }
        watchdog.close()
        print("rank \(group.rank): done")
    }

    /// Milliseconds for adding `megabytes` of gradients in buckets, from `allocate` and from elsewhere. With
    /// ranksPerNode=1 both are the library's own all-reduce.
    static func speed(_ group: any Communicator, _ options: [String: String]) throws {
        let count = (options["megabytes"].flatMap { Int($0) } ?? 88) << 18
        let memories = [("window", try group.allocate(count)), ("plain", Floats(zeros: count))]
        let bucket = 25 << 18
        for _ in 0..<6 {
            var line = ""
            for (name, memory) in memories {
                try group.barrier()
                let start = wallSeconds()
                for start in stride(from: 0, to: count, by: bucket) {
                    try group.sum(memory[start..<min(count, start + bucket)])
                }
                line += "\(name) \((wallSeconds() - start) * 1000) ms "
            }
            if group.rank == 0 { print(line) }
        }
    }

    /// Time of a step of about 2 s of compute with 22 M gradients, without and with their exchange, in turns.
    static func balance(_ group: any Communicator, _ options: [String: String]) throws {
        let gradients = try group.allocate(22 << 20)
        let bucket = 25 << 18
        let buckets = stride(from: 0, to: gradients.count, by: bucket).map { $0..<min(gradients.count, $0 + bucket) }
        let exchange = try GradientExchange(group, gradients: gradients, buckets: buckets)
        let perPart = options["iterations"].flatMap { Int($0) } ?? 2000
        let panel = Floats(zeros: 16_384)
        let pool = WorkerPool(threads: 1)
        func compute(parts: Int) {
            for _ in 0..<parts * perPart { pool.split(1, grain: 1, panel) { panel, _ in work(panel) } }
        }
        for _ in 0..<4 {
            var times: [Double] = []
            for isExchanging in [false, true] {
                try group.barrier()
                let start = wallSeconds()
                compute(parts: buckets.count)
                for number in buckets.indices {
                    compute(parts: 2)
                    if isExchanging { exchange.send(bucket: number) }
                }
                try exchange.finish()
                try group.barrier()
                times.append(wallSeconds() - start)
            }
            if group.rank == 0 { print("alone \(times[0]) s, with exchange \(times[1]) s, \(times[0] / times[1])") }
        }
    }
}

private func work(_ panel: Floats) {
    for index in 0..<panel.count { panel[index] = panel[index] * 0.999 + 1 }
}
