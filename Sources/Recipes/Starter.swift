extension Recipe {
    /// What `lacuna recipe new` writes: a small complete recipe on the built-in images, to be changed.
    public static let starter = """
        # lacuna pretrain my.yaml
        # Every key is explained by `lacuna recipe schema`; a section that is left out switches its feature off.
        schema: 1
        kind: pretrain
        about: SimMIM on the built-in images.
        reference: none yet
        seed: 0  # every random draw is a function of it

        data:
          train:
            kind: procedural  # or idx, cifar10, cifar100, digits, folder
            count: 20000
            size: 32
            first: 0
            seed: 0

        images:
          size: 32  # pixels
          crop:
            minimum_area: 0.67
            maximum_area: 1
            minimum_ratio: 0.75
            maximum_ratio: 1.3333333333333333
            interpolation: bilinear
          flip: 0.5  # probability
          normalize:
            mean: [0.5, 0.5, 0.5]
            std: [0.25, 0.25, 0.25]

        objective:
          kind: simmim
          mask_ratio: 0.6  # share of the cells that are hidden
          mask_patch: 8  # side of a cell, pixels

        model:
          kind: vit
          preset: micro  # or tiny, small, base, large, or width, depth and heads
          patch: 4  # pixels
          init_values: 0.1
          drop_path: 0
          absolute_positions: false
          relative_positions: false
          shared_relative_positions: true

        batch:
          global: 256  # samples of an update, over all ranks

        optimizer:
          kind: adamw
          betas: [0.9, 0.999]
          epsilon: 1e-8
          weight_decay: 0.05

        schedule:
          kind: cosine
          epochs: 5
          base_rate: 1e-3  # at reference_batch; all rates scale with the global batch
          reference_batch: 512
          warmup_epochs: 1
          warmup_rate: 1e-6
          minimum_rate: 1e-5

        clip:
          norm: 5

        checkpoint:
          every_epochs: 1
          keep_last: 2

        log:
          every_updates: 20

        loader:
          threads: 1
          slots: 3

        """
}
