/// Places blocks with known lifetimes into one stretch of memory: largest first, at the lowest offset that is free
/// during the whole life of the block.
struct Arena {
    struct Block {
        let floats: Int
        var firstTime: Int
        var lastTime: Int
        fileprivate(set) var offset = 0

        init(floats: Int, firstTime: Int, lastTime: Int) {
            self.floats = floats
            self.firstTime = firstTime
            self.lastTime = lastTime
        }
    }

    /// 64 bytes: a cache line and an AVX-512 register.
    private static let alignment = 16

    private(set) var blocks: [Block] = []
    private(set) var floats = 0

    mutating func add(_ floats: Int, at time: Int) -> Int {
        blocks.append(Block(floats: floats, firstTime: time, lastTime: time))
        return blocks.count - 1
    }

    mutating func extend(_ block: Int, to time: Int) {
        blocks[block].firstTime = min(blocks[block].firstTime, time)
        blocks[block].lastTime = max(blocks[block].lastTime, time)
    }

    mutating func place() {
        let order = blocks.indices.sorted { (blocks[$0].floats, $1) > (blocks[$1].floats, $0) }
        var placed: [Int] = []
        for block in order where blocks[block].floats > 0 {
            let size = (blocks[block].floats + Self.alignment - 1) / Self.alignment * Self.alignment
            let life = blocks[block].firstTime...blocks[block].lastTime
            var offset = 0
            // `placed` is sorted by offset: the first gap that is wide enough is the lowest.
            for other in placed where life.overlaps(blocks[other].firstTime...blocks[other].lastTime) {
                if blocks[other].offset >= offset + size { break }
                let end = (blocks[other].floats + Self.alignment - 1) / Self.alignment * Self.alignment
                offset = max(offset, blocks[other].offset + end)
            }
            blocks[block].offset = offset
            floats = max(floats, offset + size)
            let position = placed.firstIndex { blocks[$0].offset > offset } ?? placed.count
            placed.insert(block, at: position)
        }
    }

    /// Floats that the blocks would need if none shared memory.
    var unsharedFloats: Int { blocks.reduce(0) { $0 + $1.floats } }
}
