import Optimizers
import Recipes

extension Recipe {
    /// Seeds by purpose, as a checkpoint keeps them.
    var seeds: [String: UInt64] {
        var seeds = ["run": seed]
        if has(NoiseStage.key) { seeds["grad_noise"] = noiseSeed }
        if let noise = data.labelNoise { seeds["label_noise"] = noise.seed }
        return seeds
    }
}
