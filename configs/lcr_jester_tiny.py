# LCR small enough to train on two CPU cores: 8 frames, 64x64, 27 classes.
_base_ = [
    "_base_/models/lcr_nano.py",
    "_base_/datasets/jester_rawframes.py",
    "_base_/schedules/adamw_cosine.py",
    "_base_/default_runtime.py",
]

from lcr_mmaction.optim.schedules import warmup_cosine  # noqa: E402
from lcr_mmaction.transforms.pipelines import clip_pipelines  # noqa: E402

model = dict(cls_head=dict(label_smooth_eps=0.05))

train_pipeline, val_pipeline, test_pipeline = clip_pipelines(
    clip_len=8,
    size=64,
    crop=dict(area_range=(0.7, 1.0), aspect_ratio_range=(1.2, 1.8)),
    flip=dict(flip_ratio=0.5, flip_label_map=_base_.flip_label_map),
)
train_dataloader = dict(num_workers=2, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=32, num_workers=2, dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(
    batch_size=32, num_workers=2, dataset=dict(pipeline=val_pipeline)
)

max_epochs = 12
train_cfg = dict(max_epochs=max_epochs, val_interval=3)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = warmup_cosine(max_epochs, warmup_epochs=1)
auto_scale_lr = dict(base_batch_size=16)
env_cfg = dict(dist_cfg=dict(backend="gloo"))
