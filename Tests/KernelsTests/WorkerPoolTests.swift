import Kernels
import Testing

@Suite struct WorkerPoolTests {
    @Test(arguments: [1, 2, 3, 8], [(0, 1), (1, 1), (7, 3), (100, 1), (1000, 64)])
    func `every row belongs to one chunk`(threads: Int, the: (Int, Int)) {
        let pool = WorkerPool(threads: threads), visits = Indices(zeros: max(the.0, 1))
        pool.split(the.0, grain: the.1, (visits, the.1)) { arguments, range in
            precondition(range.lowerBound % arguments.1 == 0 && range.count <= arguments.1 && !range.isEmpty)
            for row in range { arguments.0[row] += 1 }
        }
        #expect(visits.array.prefix(the.0).allSatisfy { $0 == 1 })
    }

    @Test(arguments: [2, 3])
    func `a pool serves ten thousand splits`(threads: Int) {
        let pool = WorkerPool(threads: threads), visits = Indices(zeros: 10)
        for _ in 0..<10_000 {
            pool.split(10, grain: 1, visits) { visits, range in
                for row in range { visits[row] += 1 }
            }
        }
        #expect(visits.array == [Int32](repeating: 10_000, count: 10))
    }

    @Test func `what a split wrote is visible when it returns`() {
        let pool = WorkerPool(threads: 3), values = Indices(zeros: 64)
        for round in 1...1000 {
            pool.split(64, grain: 1, (values, Int32(round))) { arguments, range in
                for row in range { arguments.0[row] = arguments.1 }
            }
            #expect(values.array.allSatisfy { $0 == Int32(round) })
        }
    }

    @Test func `pools come and go`() {
        for _ in 0..<50 {
            let pool = WorkerPool(threads: 4), sum = Floats(zeros: 4)
            pool.split(4, grain: 1, sum) { sum, range in sum[range.lowerBound] = 1 }
            #expect(pool.sum(sum) == 4)
        }
    }
}
