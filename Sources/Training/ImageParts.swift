public import Batches
import Kernels
public import Recipes

// What the `images` section of a recipe stands for in the module that makes batches.

extension Recipe {
    /// Crop, flip, policy or colour jitter, normalisation, erasing and mixing: everything that training does to an image.
    public var trainingTransform: ImageTransform {
        var steps: [any Augmentation] = crop
        if let hflip = images.hflip { steps.append(HorizontalFlip(probability: hflip)) }
        if let policy = images.policy { steps.append(policy.augmentation) }
        if let strength = images.colorJitter { steps.append(ColorJitter(strength: strength)) }
        return ImageTransform(
            steps, normalisation, erasing: images.randomErasing?.randomErasing, mixing: images.mix?.mixing)
    }

    /// Nothing drawn: the image that evaluations see.
    public var evaluationTransform: ImageTransform {
        let size = images.size
        guard let evaluation = images.evaluation else {
            return ImageTransform([Resizing(.shortEdge(size), interpolation), CentreCrop(size: size)], normalisation)
        }
        let filter: Batches.Interpolation = evaluation.interpolation == .bicubic ? .bicubic : .bilinear
        guard let ratio = evaluation.cropPct else {
            return ImageTransform([Resizing(.exactly(height: size, width: size), filter)], normalisation)
        }
        // As timm does it: 256 for 224 at 0.875, 235 at 0.95.
        let edge = Int(Double(size) / ratio)
        return ImageTransform([Resizing(.shortEdge(edge), filter), CentreCrop(size: size)], normalisation)
    }

    /// All that `evaluationTransform` depends on, as text: part of the key of what is computed from such images and kept.
    public var evaluationCut: String {
        let cut =
            images.evaluation.map { evaluation in
                (evaluation.cropPct.map { "crop ratio \($0)" } ?? "whole") + ", \(evaluation.interpolation)"
            } ?? "centre, \(interpolation)"
        return "size \(images.size); \(cut); mean \(images.normalize.mean); std \(images.normalize.std)"
    }

    private var crop: [any Augmentation] {
        if let crop = images.randomResizedCrop {
            return [
                Batches.RandomResizedCrop(
                    size: images.size, area: crop.scale[0]...crop.scale[1],
                    aspect: crop.ratio[0]...crop.ratio[1], interpolation)
            ]
        }
        if let crop = images.randomCrop {
            let square = Batches.RandomCrop(
                size: images.size, padding: crop.padding, border: crop.border == .zero ? .zero : .reflected)
            return (crop.shortEdge.map { [Resizing(.shortEdge($0), interpolation)] } ?? []) + [square]
        }
        return [Resizing(.exactly(height: images.size, width: images.size), interpolation)]
    }

    private var interpolation: Batches.Interpolation {
        let filter = images.randomResizedCrop?.interpolation ?? images.randomCrop?.interpolation
        return filter == .bicubic ? .bicubic : .bilinear
    }

    private var normalisation: Normalisation {
        Normalisation(mean: images.normalize.mean, std: images.normalize.std)
    }

    /// Micro-batches and images for an objective of this recipe.
    /// - Parameter classes: of the targets; 0 for a method that learns from no labels.
    public func loaderSettings(
        _ transform: ImageTransform, masking: (any Masking)? = nil, classes: Int = 0
    ) -> Batches.Loader.Settings {
        var settings = Batches.Loader.Settings(
            seed: seed, transform: transform, height: images.size, width: images.size)
        settings.masking = masking
        settings.slots = loader.prefetchBatches
        settings.threads = loader.threads
        settings.targetClasses = classes
        if let limits { settings.tolerance = Tolerance(share: limits.badSamplesShare) }
        return settings
    }
}

extension Recipe.Policy {
    fileprivate var augmentation: any Augmentation {
        switch rule {
        case .randAugment(let text, let warp):
            var policy = Batches.RandAugment(warp.style)
            policy.magnitude = Double(text.magnitude)
            policy.operations = text.operations
            policy.std = text.deviation
            policy.limit = Double(text.limit)
            policy.probability = text.probability
            policy.increasing = text.increasing
            return policy
        case .torchvisionRandAugment(let numOps, let magnitude, let warp):
            return BinnedPolicy.randAugment(operations: numOps, bin: magnitude, warp.style)
        case .trivialAugment(let warp): return BinnedPolicy.trivialAugmentWide(warp.style)
        case .autoAugment(let warp): return AutoAugment(warp.style)
        case .threeAugment: return ThreeAugment()
        }
    }
}

extension Recipe.Policy.Warp {
    fileprivate var style: WarpStyle {
        let filters: [Batches.Interpolation] =
            switch interpolation {
            case .nearest: [.nearest]
            case .bilinear: [.bilinear]
            case .bicubic: [.bicubic]
            case .random: [.bilinear, .bicubic]
            }
        return WarpStyle(filters, fill: SIMD3(UInt8(fill[0]), UInt8(fill[1]), UInt8(fill[2])))
    }
}

extension Recipe.RandomErasing {
    fileprivate var randomErasing: Batches.RandomErasing {
        let fill: Batches.RandomErasing.Fill =
            switch mode {
            case .pixel: .pixel
            case .rand: .channel
            case .const: .zero
            }
        return Batches.RandomErasing(
            probability: probability, area: scale[0]...scale[1], aspect: ratio[0]...ratio[1], fill: fill,
            maximumCount: maxCount)
    }
}
