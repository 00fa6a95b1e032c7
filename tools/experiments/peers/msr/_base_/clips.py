# The clips, schedule and augmentation of configs/lcr_msr.py for models that see RGB
# alone: [N, 1, 3, 16, 64, 64].
_base_ = ["../../../../../configs/lcr_msr.py"]

train_pipeline = [s for s in _base_.train_pipeline if s.type != "EdgeExtract"]
val_pipeline = [s for s in _base_.val_pipeline if s.type != "EdgeExtract"]
test_pipeline = val_pipeline
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader

# Batch normalisation's statistics are averaged with the weights they belong to.
custom_hooks = [
    dict(h, update_buffers=True) if h.type == "EMAHook" else h
    for h in _base_.custom_hooks
]

# Half of LCR's rate. In float32: MMAction2's heads cannot count hits in bfloat16.
optim_wrapper = dict(
    _delete_=True,
    type="OptimWrapper",
    optimizer=dict(_base_.optim_wrapper.optimizer, lr=1e-3),
    clip_grad=_base_.optim_wrapper.clip_grad,
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)

model = dict(
    _delete_=True,
    type="Recognizer3D",
    data_preprocessor=dict(
        type="ActionDataPreprocessor",
        mean=[60, 60, 60],
        std=[80, 80, 80],
        format_shape="NCTHW",
    ),
)
