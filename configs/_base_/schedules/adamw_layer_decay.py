# Fine-tuning: 30 epochs, the lower a block the smaller its rate.
_base_ = ["adamw_cosine.py"]

max_epochs = 30
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(
    constructor="LayerDecayOptimWrapperConstructor",
    optimizer=dict(lr=5e-4, betas=(0.9, 0.999)),
    paramwise_cfg=dict(layer_decay_rate=0.75),
)
param_scheduler = _base_.param_scheduler
param_scheduler[1]["end"] = max_epochs
