# Fine-tuning: 30 epochs, the lower a block the smaller its rate.
_base_ = ["adamw_cosine.py"]

from lcr_mmaction.optim.schedules import warmup_cosine  # noqa: E402

max_epochs = 30
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(
    constructor="LayerDecayOptimWrapperConstructor",
    optimizer=dict(lr=5e-4, betas=(0.9, 0.999)),
    paramwise_cfg=dict(layer_decay_rate=0.75),
)
param_scheduler = warmup_cosine(max_epochs, warmup_epochs=5)
