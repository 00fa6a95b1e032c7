# AdamW with warm-up and cosine decay, per iteration. Matrices and convolutions are
# decayed, nothing else.
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=50, val_interval=5)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")

optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(
        type="AdamW", lr=1e-3, betas=(0.9, 0.98), weight_decay=0.05, fused=True
    ),
    constructor="MatrixDecayOptimWrapperConstructor",
    clip_grad=dict(max_norm=2.0),
)
param_scheduler = [
    dict(
        type="LinearLR",
        start_factor=0.01,
        by_epoch=True,
        begin=0,
        end=5,
        convert_to_iter_based=True,
    ),
    dict(
        type="CosineAnnealingLR",
        eta_min_ratio=0.01,
        by_epoch=True,
        begin=5,
        end=50,
        convert_to_iter_based=True,
    ),
]
# Linear scaling rule, used with `--auto-scale-lr`.
auto_scale_lr = dict(enable=False, base_batch_size=64)
