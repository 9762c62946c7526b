package import Kernels

/// Mixup as ELR+ does it: images, labels and targets of a slice of the batch by one share and one permutation, both a
/// pure function of (seed, network, update, slice), so that any number of ranks mixes alike.
/// Source: arXiv 2007.00151, code shengliu66/ELR.
package final class TargetMixing {
    /// What one slice is mixed from: images (B, inputs), labels and targets (B, classes) as shares.
    package struct Samples: Sendable {
        package let images, labels, targets: Floats

        package init(images: Floats, labels: Floats, targets: Floats) {
            (self.images, self.labels, self.targets) = (images, labels, targets)
        }
    }

    /// The mixed ones.
    package let mixed: Samples
    private let settings: EarlyLearningSettings.Plus
    private let seed: UInt64
    /// Samples of a micro-batch, and of a slice.
    private let size, slice: Int
    private let inputs, classes: Int
    private let partners: Indices

    /// - Parameter inputs: numbers of one image.
    package init(_ settings: EarlyLearningSettings.Plus, seed: UInt64, size: Int, inputs: Int, classes: Int) {
        (self.settings, self.seed, self.size) = (settings, seed, size)
        (self.inputs, self.classes) = (inputs, classes)
        slice = settings.mixupSlice ?? size
        mixed = Samples(
            images: Floats(zeros: size * inputs), labels: Floats(zeros: size * classes),
            targets: Floats(zeros: size * classes))
        partners = Indices(zeros: slice)
    }

    /// - Parameters:
    ///   - place: of the micro-batch in the global batch.
    ///   - update: that the network has done before.
    func mix(_ batch: Samples, place: Int, network: Int, update: Int, pool: WorkerPool) {
        for start in stride(from: 0, to: size, by: slice) {
            let number = (place + start) / slice
            var random = RandomStream(
                seed: seed, purpose: .targetMix, epoch: UInt32(network), sample: UInt64(update) << 24 | UInt64(number))
            let share = random.beta(settings.mixupAlpha)
            for index in 0..<slice { partners[index] = Int32(index) }
            for last in stride(from: slice - 1, to: 0, by: -1) {
                let other = random.below(last + 1)
                (partners[last], partners[other]) = (partners[other], partners[last])
            }
            mix(batch, from: start, kept: max(share, 1 - share), partners, pool: pool)
        }
    }

    /// Mixes one slice.
    /// - Parameters:
    ///   - start: its first sample.
    ///   - kept: the share of each sample itself.
    ///   - partners: positions in the slice.
    package func mix(_ batch: Samples, from start: Int, kept: Double, _ partners: Indices, pool: WorkerPool) {
        let work = (batch, mixed, partners, start, kept, inputs, classes, settings.reweightLabels)
        pool.split(partners.count, grain: 4, work) { work, slots in
            let (batch, mixed, partners, start, kept, inputs, classes, reweights) = work
            for index in slots {
                let (slot, partner) = (start + index, start + Int(partners[index]))
                _ = Self.blend(batch.images, inputs, slot, partner, kept, into: mixed.images)
                let label = Self.blend(batch.labels, classes, slot, partner, kept, into: mixed.labels)
                let target = Self.blend(batch.targets, classes, slot, partner, kept, into: mixed.targets)
                if reweights { Self.reweight(label, by: target) }
            }
        }
    }

    /// λ of a row and 1 − λ of its partner.
    private static func blend(
        _ from: Floats, _ width: Int, _ slot: Int, _ partner: Int, _ kept: Double, into: Floats
    ) -> Floats {
        let mixed = into[slot * width..<(slot + 1) * width]
        mixed.copy(from: from[slot * width..<(slot + 1) * width])
        mixed.blend(keep: Float(kept), share: Float(1 - kept), of: from[partner * width..<(partner + 1) * width])
        return mixed
    }

    /// y·q / Σ y·q
    private static func reweight(_ label: Floats, by target: Floats) {
        var sum = 0.0
        for k in 0..<label.count { sum += Double(label[k]) * Double(target[k]) }
        for k in 0..<label.count { label[k] = Float(Double(label[k]) * Double(target[k]) / sum) }
    }
}
