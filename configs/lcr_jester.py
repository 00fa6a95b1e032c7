# LCR on Jester from scratch at the paper's size: 16 frames, 224x224, 27 classes.
_base_ = [
    "_base_/models/lcr_tiny.py",
    "_base_/datasets/jester_rawframes.py",
    "_base_/schedules/adamw_cosine.py",
    "_base_/default_runtime.py",
]

from lcr_mmaction.transforms.pipelines import clip_pipelines  # noqa: E402

model = dict(
    backbone=dict(drop_path_rate=0.1),
    cls_head=dict(dropout_ratio=0.2, label_smooth_eps=0.1),
)

train_pipeline, val_pipeline, test_pipeline = clip_pipelines(
    clip_len=16,
    size=224,
    crop=dict(area_range=(0.6, 1.0), aspect_ratio_range=(0.9, 1.6)),
    flip=dict(flip_ratio=0.5, flip_label_map=_base_.flip_label_map),
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=val_pipeline))
