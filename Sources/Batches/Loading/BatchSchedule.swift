import Kernels

/// Decides the draws of each batch. Batches are opened one at a time and in order, so one permutation is enough: it
/// is made anew by the loading thread that opens the first batch of an epoch, never on the step path.
final class BatchSchedule: Sendable {
    private let sampler: Sampler
    private let cut: BatchCut
    private let size: Int
    private let order: Indices
    private let slots: [Indices]
    /// The epoch of `order`; -1 before the first.
    private let epoch = Buffer<Int>([-1])

    init(_ sampler: Sampler, _ cut: BatchCut, size: Int, slots: Int) {
        self.sampler = sampler
        self.cut = cut
        self.size = size
        order = Indices(zeros: sampler.count)
        self.slots = (0..<slots).map { _ in Indices(zeros: 2 * size) }
    }

    /// Sets the numbers of the batch and keeps its draws for `draw`.
    func open(_ number: Int, _ batch: Batch, slot: Int) {
        let (update, offset) = cut.start(of: number, size: size)
        let epoch = sampler.epoch(ofUpdate: update)
        if self.epoch[0] != epoch {
            sampler.fill(order, epoch: epoch)
            self.epoch[0] = epoch
        }
        var count = 0
        for place in 0..<size {
            guard let draw = sampler.draw(at: offset + place, update: update, in: order) else { break }
            slots[slot][2 * place] = Int32(draw.sample)
            slots[slot][2 * place + 1] = Int32(draw.repetition)
            count += 1
        }
        (batch.number, batch.update, batch.epoch, batch.count) = (number, update, epoch, count)
    }

    func draw(_ place: Int, _ batch: Batch, slot: Int) -> Draw {
        Draw(
            sample: Int(slots[slot][2 * place]), epoch: batch.epoch, repetition: Int(slots[slot][2 * place + 1]))
    }
}
