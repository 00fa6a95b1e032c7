# The tiny config's clips, schedule and epochs for models that see RGB alone:
# [N, 1, 3, 8, 64, 64].
_base_ = ["../../../../configs/lcr_jester_tiny.py"]

train_pipeline = [s for s in _base_.train_pipeline if s.type != "EdgeExtract"]
val_pipeline = [s for s in _base_.val_pipeline if s.type != "EdgeExtract"]
test_pipeline = [s for s in _base_.test_pipeline if s.type != "EdgeExtract"]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=val_pipeline))

# Batch normalisation's statistics are averaged with the weights they belong to.
custom_hooks = [
    dict(h, update_buffers=True) if h.type == "EMAHook" else h
    for h in _base_.custom_hooks
]

# Half of what LCR takes: the best that was tried for SlowOnly and TSM, and as good as
# any for the transformers. Their parts do not say which weights decay.
optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    constructor="DefaultOptimWrapperConstructor",
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        custom_keys={"cls_token": dict(decay_mult=0.0)},
    ),
)

model = dict(
    _delete_=True,
    type="Recognizer3D",
    data_preprocessor=dict(
        type="ActionDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape="NCTHW",
    ),
)
