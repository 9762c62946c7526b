import Checkpoints
import Kernels

/// A small run: 3 parameters with moments and an average, whose values depend on the step.
enum SampleRun {
    static func content(step: Int, width: Int = 40) -> CheckpointContent {
        func floats(_ name: String, _ salt: Int) -> StoredTensor {
            let count = width * width
            let values = (0..<count).map { Float(step) + Float(salt) / 8 + Float($0) / Float(count) }
            return StoredTensor(name, [width, width], Floats(values))
        }
        let names = ["blocks.0.attn.qkv.weight", "blocks.0.mlp.fc1.weight", "head.weight"]
        return CheckpointContent(
            state: RunState(
                iteration: step, epoch: step / 10, updates: step, samplesSeen: step * 64, seeds: ["run": .max],
                recipe: ["optimizer.rate": "0.0015", "log.interval": "10"],
                data: DataFingerprint(hash: 7, counts: ["images": 1797]), trainableNames: names.count,
                metricsBytes: step * 100, library: "1.0.0", extra: ["elr/step": .integer(step)]),
            tensors: [
                .model: names.enumerated().map { floats($1, $0) } + [
                    StoredTensor("norm.num_batches_tracked", [], integers: [step])
                ],
                .optimizer: names.enumerated().map { floats("optim/exp_avg/" + $1, 10 + $0) },
                .average: names.enumerated().map { floats("ema/" + $1, 20 + $0) },
            ], attachments: ["resolved.yaml": Array("rate: 0.0015\n".utf8)])
    }

    /// Whether every tensor is, bit for bit, what `content` gives for the checkpoint's step.
    static func isWhole(_ checkpoint: Checkpoint, width: Int = 40) throws -> Bool {
        let expected = content(step: checkpoint.step, width: width)
        guard checkpoint.state == expected.state else { return false }
        for (part, tensors) in expected.tensors {
            let file = try checkpoint.open(part)
            guard file.names == tensors.map(\.name).sorted() else { return false }
            for tensor in tensors {
                guard try file.tensor(tensor.name).bytes.array == tensor.bytes.array else { return false }
            }
        }
        return try checkpoint.attachment("resolved.yaml") == expected.attachments["resolved.yaml"]
    }
}

extension CheckpointStore.SaveOutcome {
    var isSaved: Bool { if case .saved = self { true } else { false } }
    var removed: [Int] { if case .saved(_, _, _, let removed) = self { removed } else { [] } }
    var failures: [CheckpointError] {
        switch self {
        case .saved(_, _, let failures, _): failures
        case .failed(let failures): failures
        }
    }
}
