# LCR on the single gestures of IPN Hand: 16 frames, 112x112, 13 classes and one, that
# no clip has, for the streams that lcr_ipn_stream.py goes on with. Never trained on the
# data itself.
_base_ = [
    "_base_/models/lcr_tiny.py",
    "_base_/datasets/ipn_hand.py",
    "_base_/schedules/adamw_cosine.py",
    "_base_/default_runtime.py",
]

from lcr_mmaction.transforms.pipelines import clip_pipelines  # noqa: E402

model = dict(
    backbone=dict(img_size=112, drop_path_rate=0.1),
    cls_head=dict(num_classes=14, dropout_ratio=0.2, label_smooth_eps=0.1),
)

train_pipeline, val_pipeline, test_pipeline = clip_pipelines(
    clip_len=16,
    size=112,
    crop=dict(area_range=(0.6, 1.0), aspect_ratio_range=(0.9, 1.6)),
    flip=dict(flip_ratio=0.5, flip_label_map=_base_.flip_label_map),
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=val_pipeline))
