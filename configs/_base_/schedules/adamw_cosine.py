# AdamW with warm-up and cosine decay, per iteration. Matrices and convolutions are
# decayed, nothing else.
# MMEngine lets a config import what is not its own only after a `_base_`.
_base_ = []

from lcr_mmaction.optim.schedules import warmup_cosine  # noqa: E402

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
param_scheduler = warmup_cosine(50, warmup_epochs=5)
# Linear scaling rule, used with `--auto-scale-lr`.
auto_scale_lr = dict(enable=False, base_batch_size=64)
