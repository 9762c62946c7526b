import Batches
import Testing

/// Label noise: exact for given draws, and our own draws against the reference's frequencies.
@Suite struct LabelNoiseGolden {
    struct Settings: Decodable, Sendable {
        struct Case: Decodable, Sendable {
            let n: Int
            let percent: Double
        }
        let sym, asym10, asym100: Case
    }

    /// What a recipe has of the sets where it names no classes.
    private var flips: [ClassFlip] {
        if case .flips(let flips)? = CIFAR10.similarClasses { flips } else { [] }
    }
    private var block: Int {
        if case .blocks(let size)? = CIFAR100.similarClasses { size } else { 1 }
    }

    static let files = optimFiles("elr", Settings.self) { $0.file.names.contains("output/sym/noisy") }

    @Test(arguments: files) func `given draws give the reference's labels`(_ golden: OptimFile<Settings>) throws {
        let settings = golden.settings
        let (order, draws) = (try golden.integers("input/sym/permutation"), try golden.integers("input/sym/draw"))
        let positions = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
        let symmetric = try LabelNoise.symmetric(
            golden.integers("input/sym/label"), rate: settings.sym.percent, order: order
        ) { draws[positions[$0] ?? 0] }
        #expect(symmetric == (try golden.integers("output/sym/noisy")))
        let flipped = try LabelNoise.flipped(
            golden.integers("input/asym10/label"), rate: settings.asym10.percent, flips, isSequential: true
        ) { number, members in
            let shuffled = (try? golden.integers("input/asym10/shuffled/\(number)")) ?? []
            #expect(members == shuffled.sorted(), "class \(number) when it is visited")
            return shuffled
        }
        #expect(flipped == (try golden.integers("output/asym10/noisy")))
        let moves = try golden.integers("input/asym100/flip")
        let shifted = try LabelNoise.shifted(
            golden.integers("input/asym100/label"), size: block
        ) { moves[$0] == 1 }
        #expect(shifted == (try golden.integers("output/asym100/noisy")))
    }

    @Test(arguments: files) func `our draws have the reference's frequencies`(_ golden: OptimFile<Settings>) throws {
        let means = golden.parts(after: "output/stat/").filter { $0.hasSuffix("/mean") }
        #expect(!means.isEmpty)
        for mean in means {
            let parts = mean.split(separator: "/")
            let (kind, rate) = (parts[0], try #require(Double(parts[1])))
            let noise: LabelNoise =
                kind.hasPrefix("sym")
                ? .symmetric(rate: rate) : .flips(rate: rate, flips, isSequential: true)
            let reference = try golden.floats("output/stat/\(mean)")
            let spread = try golden.floats("output/stat/\(kind)/\(parts[1])/std")
            let (classes, each, seeds) = (Int(Double(reference.count).squareRoot()), 4500, 20)
            let labels = (0..<classes * each).map { $0 % classes }
            var counts = [Int](repeating: 0, count: classes * classes)
            for seed in 0..<UInt64(seeds) {
                for (clean, noisy) in zip(labels, noise.noisy(labels, classes: classes, seed: seed)) {
                    counts[clean * classes + noisy] += 1
                }
            }
            for (place, count) in counts.enumerated() {
                let ours = Float(count) / Float(each * seeds)
                // Some figures do not spread at all: what a Float rounds is left.
                let bound = 4 * spread[place] + 1e-6
                #expect(abs(ours - reference[place]) <= bound, "\(mean) \(place): \(ours), \(reference[place])")
            }
        }
    }

    @Test(arguments: files) func `the blocks' transition matrix is the reference's`(_ golden: OptimFile<Settings>)
        throws
    {
        let transition = try golden.floats("output/asym100/transition")
        let (classes, each) = (Int(Double(transition.count).squareRoot()), 2000)
        let labels = (0..<classes * each).map { $0 % classes }
        let noise = LabelNoise.blocks(rate: golden.settings.asym100.percent, size: block)
        var counts = [Int](repeating: 0, count: classes * classes)
        for (clean, noisy) in zip(labels, noise.noisy(labels, classes: classes, seed: 3)) {
            counts[clean * classes + noisy] += 1
        }
        for (place, count) in counts.enumerated() {
            let share = Double(transition[place])
            // Five deviations of a share of 2,000 draws.
            let bound = 5 * (share * (1 - share) / Double(each)).squareRoot() + 1e-9
            #expect(abs(Double(count) / Double(each) - share) <= bound, "\(place)")
        }
    }
}
