import Autodiff
import Checkpoints
import Kernels
import Layers
import Models
import Objectives
import Optimizers
import Recipes
import Testing
import Training

/// A complete guided training step: a network of linear maps guided by a residual convnet in evaluation mode.
@Suite struct GuidedStep {
    static let files = optimFiles("guidance", GuidedStepCase.self)

    /// Network, guide and batch of a fixture, with its weights.
    private struct Trial {
        let golden: OptimFile<GuidedStepCase>
        let recording: GuidedRecording
        let batch: BatchTensors
        let store: ParameterStore
        let plan, guide: Plan
        let pool = WorkerPool(threads: 1)

        init(_ golden: OptimFile<GuidedStepCase>) throws {
            let size = golden.settings
            let image = ImageSpec(side: size.image[1], channels: size.image[0])
            let target = StudentNet.Settings(stored: try StoredShapes(golden, "param/student."))
            let model = GuideNet.Settings(stored: try StoredShapes(golden, "param/guide."))
            let graph = Graph()
            let objective = try Classification(
                .init(labelSmoothing: 0), target, graph.scope, InputSpec(image: image, classes: size.classes))
            let settings = try guidanceSettings(
                "guide_seed: 0\nalpha: \(size.alpha)\nreduction: sum\npreset: fcn_resnet\n")
            batch = objective.inputs(graph, batch: size.batch)
            recording = try Guidance(settings, objective, target: target, guide: model, image: image)
                .record(objective, batch, rank: 0, ranks: 1)
            store = ParameterStore(graph, minimising: recording.total, seed: 0, pool: pool)
            let frozen = ParameterStore(recording.guide.graph, minimising: nil, seed: 0, pool: pool)
            plan = try Plan(
                graph, minimising: recording.total,
                keeping: [recording.loss.sum] + recording.links.map(\.distance), store: store, pool: pool)
            guide = try Plan(
                recording.guide.graph, minimising: nil, keeping: recording.guide.outputs, store: frozen, pool: pool)
            self.golden = golden
            for (prefix, store) in [("param/student.", store), ("param/guide.", frozen)] {
                for name in store.names { try #require(store.value(name)).copy(from: golden.floats(prefix + name)) }
                for buffer in store.buffers {
                    guard !buffer.name.hasSuffix("num_batches_tracked") else { continue }
                    try #require(store.buffer(buffer.name)).copy(from: golden.floats(prefix + buffer.name))
                }
            }
        }

        func images(_ step: Int) throws -> Floats {
            let all = try golden.file.tensor("input/images")
            let size = all.shape.dropFirst().reduce(1, *)
            return Floats(
                channelsLast(Array(all.floats[step * size..<(step + 1) * size]), Array(all.shape.dropFirst())))
        }

        /// Forward and backward of a step.
        func run(_ step: Int) throws {
            let size = golden.settings
            let labels = try golden.integers("input/labels")[step * size.batch..<(step + 1) * size.batch]
            guide.set(recording.guide.images, try images(step))
            guide.forward()
            plan.set(batch.images, try images(step))
            if let targets = batch.targets {
                plan.set(
                    targets, Floats(labels.flatMap { label in (0..<size.classes).map { $0 == label ? 1 : 0 } }))
            }
            for (link, output) in zip(recording.links, recording.guide.outputs) {
                plan.set(link.comparand, guide.value(of: output))
            }
            plan.set(recording.alpha, Floats([Float(size.alpha)]))
            plan.forward()
            plan.backward()
        }

        var crossEntropy: Double { Double(plan.value(of: recording.loss.sum)[0]) / Double(golden.settings.batch) }
        var distances: [Float] { recording.links.map { plan.value(of: $0.distance)[0] } }
    }

    @Test(arguments: files) func `pairs, distances and gradients follow the reference`(
        _ golden: OptimFile<GuidedStepCase>
    ) throws {
        let (trial, size) = (try Trial(golden), golden.settings)
        let (targets, guides) = (try places(golden, "student"), try places(golden, "guide"))
        let links = trial.recording.links
        #expect(links.map { targets[$0.pair.target.name] } == size.loss_term_order)
        for link in links {
            let guide = try #require(guides[link.pair.guide.name])
            #expect(size.mapping[guide] == targets[link.pair.target.name], "\(guide)")
        }
        try trial.run(0)
        let reference = try golden.floats("output/pair_distance")
        for (ours, theirs) in zip(trial.distances, reference) { #expect(abs(ours - theirs) <= 1e-5) }
        let guidance = trial.distances.reduce(0) { $0 + Double($1) }
        #expect(abs(guidance - Double(try golden.floats("output/guidance")[0])) <= 1e-5)
        #expect(abs(trial.crossEntropy - Double(try golden.floats("output/ce")[0])) <= 1e-5)
        let loss = trial.crossEntropy + size.alpha * guidance
        #expect(abs(loss - Double(try golden.floats("output/loss")[0])) <= 1e-5)
        for slot in trial.store.trainableSlots {
            let name = slot.parameter.name
            let ours = try #require(trial.store.gradient(name)).array.map { $0 / Float(size.batch) }
            let worst = zip(ours, try golden.floats("grad/student." + name)).map { abs($0 - $1) }.max() ?? .infinity
            #expect(worst <= 2e-5, "\(name): off by \(worst)")
        }
    }

    @Test(arguments: files) func `three updates follow the reference`(_ golden: OptimFile<GuidedStepCase>) throws {
        let (trial, size) = (try Trial(golden), golden.settings)
        let rule = try updateRule(["kind": "adam", "betas": [0.9, 0.999], "eps": 1e-8])
        let groups = ParameterGroups(trial.store, rule: rule, decays: { _, _ in false })
        for step in 0..<size.steps {
            try trial.run(step)
            let guidance = trial.distances.reduce(0) { $0 + Double($1) }
            #expect(abs(trial.crossEntropy - Double(try golden.floats("trace/ce")[step])) <= 1e-5)
            #expect(abs(guidance - Double(try golden.floats("trace/guidance")[step])) <= 1e-5)
            let loss = trial.crossEntropy + size.alpha * guidance
            #expect(abs(loss - Double(try golden.floats("trace/loss")[step])) <= 1e-5)
            trial.pool.scale(trial.store.gradients, by: 1 / Float(size.batch))
            for group in groups.groups {
                rule.update(group.run, learningRate: size.lr, weightDecay: 0, step: step + 1, pool: trial.pool)
            }
        }
        // The bias of a linear map before a norm has no gradient; Adam turns its rounding into steps of the rate.
        func isFree(_ name: String) -> Bool { name.hasSuffix(".0.bias") && !name.hasPrefix("output_layer") }
        for name in trial.store.names where !isFree(name) {
            let ours = try #require(trial.store.value(name)).array
            let worst = zip(ours, try golden.floats("after/student." + name)).map { abs($0 - $1) }.max() ?? .infinity
            #expect(worst <= 1e-5, "\(name): off by \(worst)")
        }
        for buffer in trial.store.buffers where !buffer.name.hasSuffix("num_batches_tracked") {
            let ours = try #require(trial.store.buffer(buffer.name)).array
            let isMean = buffer.name.hasSuffix("running_mean")
            let tolerance = isMean ? Float(size.lr) * Float(size.steps) : 1e-5
            let reference = try golden.floats("after_single_forward/student." + buffer.name)
            let worst = zip(ours, reference).map { abs($0 - $1) }.max() ?? .infinity
            #expect(worst <= tolerance, "\(buffer.name): off by \(worst)")
        }
    }

    @Test(arguments: files) func `taps and logits follow the reference`(_ golden: OptimFile<GuidedStepCase>) throws {
        let size = golden.settings
        let image = ImageSpec(side: size.image[1], channels: size.image[0])
        let trial = try Trial(golden)
        for side in ["student", "guide"] {
            let graph = Graph()
            let stored = try StoredShapes(golden, "param/\(side).")
            let encoder: any Encoder =
                side == "student"
                ? StudentNet(graph.scope, stored, image) : GuideNet(graph.scope, stored, image)
            let images = graph.input("images", [size.batch, image.side, image.side, image.channels])
            var taps: [IntermediateFeature] = []
            let last = graph.watching {
                if $0.kind != .norm { taps.append($0) }
            } _: {
                encoder.pooled(images)
            }
            let logits = encoder.head(graph.scope, classes: size.classes)(last)
            let store = ParameterStore(graph, minimising: nil, seed: 0, pool: trial.pool)
            for name in store.names where stored.shapes[name] != nil {
                try #require(store.value(name)).copy(from: golden.floats("param/\(side)." + name))
            }
            for buffer in store.buffers where !buffer.name.hasSuffix("num_batches_tracked") {
                try #require(store.buffer(buffer.name)).copy(from: golden.floats("param/\(side)." + buffer.name))
            }
            // With a loss the norms take the batch's statistics, as in training.
            let plan = try Plan(
                graph, minimising: side == "student" ? last : nil, keeping: [logits] + taps.map(\.value), store: store,
                pool: trial.pool)
            plan.set(images, try trial.images(0))
            plan.forward()
            if side == "student" {
                let reference = try golden.floats("output/logits")
                let worst = zip(plan.value(of: logits).array, reference).map { abs($0 - $1) }.max() ?? .infinity
                #expect(worst <= 1e-5, "logits: off by \(worst)")
            }
            let names = try places(golden, side)
            #expect(taps.count == names.count)
            for tap in taps {
                let reference = try golden.floats("output/\(side)_map/" + #require(names[tap.name]))
                let (rows, C) = (
                    tap.value.shape.count / tap.value.shape.channels / size.batch, tap.value.shape.channels
                )
                let ours = plan.value(of: tap.value)
                for index in 0..<ours.count {
                    let (sample, row, channel) = (index / C / rows, index / C % rows, index % C)
                    let difference = abs(ours[index] - reference[(sample * C + channel) * rows + row])
                    if !(difference <= 1e-5) { Issue.record("\(tap.name)[\(index)]: off by \(difference)") }
                }
            }
        }
    }

    /// Names of the reference for ours, both in the order of execution.
    private func places(_ golden: OptimFile<GuidedStepCase>, _ side: String) throws -> [String: String] {
        let size = golden.settings
        let image = ImageSpec(side: size.image[1], channels: size.image[0])
        let stored = try StoredShapes(golden, "param/\(side).")
        let settings: any EncoderSettings =
            side == "student" ? StudentNet.Settings(stored: stored) : GuideNet.Settings(stored: stored)
        let ours = try settings.featurePlaces(image).filter(\.isReference).map(\.name)
        func number(_ name: String) -> Int { Int(name.split(separator: "_").last ?? "") ?? 0 }
        let theirs = golden.parts(after: "output/\(side)_map/").sorted { number($0) < number($1) }
        try #require(ours.count == theirs.count, "\(ours) against \(theirs)")
        return Dictionary(uniqueKeysWithValues: zip(ours, theirs))
    }
}
