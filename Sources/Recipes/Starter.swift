extension Recipe {
    /// What `lacuna recipe new` writes: a small complete recipe on the built-in images, to be changed.
    public static let starter = """
        # lacuna pretrain my.yaml
        # Every key is explained by `lacuna recipe schema`; a section that is left out switches its feature off.
        schema: 2
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
          random_resized_crop:
            scale: [0.67, 1]  # share of the image's area
            ratio: [0.75, 1.3333333333333333]  # width over height
            interpolation: bilinear
          hflip: 0.5  # probability
          normalize:
            mean: [0.5, 0.5, 0.5]
            std: [0.25, 0.25, 0.25]

        objective:
          kind: simmim
          mask_ratio: 0.6  # share of the cells that are masked
          mask_patch_size: 8  # side of a cell, pixels

        model:
          kind: vit
          preset: micro  # or tiny, small, base, large, or embed_dim, depth and num_heads
          patch_size: 4  # pixels
          init_values: 0.1
          drop_path_rate: 0
          use_abs_pos_emb: false
          use_rel_pos_bias: false
          use_shared_rel_pos_bias: true

        batch:
          global: 256  # samples of an update, over all ranks

        optimizer:
          kind: adamw
          betas: [0.9, 0.999]
          eps: 1e-8
          weight_decay: 0.05

        schedule:
          kind: cosine
          epochs: 5
          base_lr: 1e-3  # at lr_base_size; all learning rates scale with the global batch
          lr_base_size: 512
          warmup_epochs: 1
          warmup_lr: 1e-6
          min_lr: 1e-5

        clip:
          max_norm: 5

        checkpoint:
          every_epochs: 1
          keep_last: 2

        log:
          every_updates: 20

        loader:
          threads: 1
          prefetch_batches: 3

        """
}
