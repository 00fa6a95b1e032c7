# LCR on your own videos: a folder per class, listed by
# `python tools/data/custom/build_lists.py`. Edit the next line, then train.
data_root = "data/custom"

_base_ = [
    "_base_/models/lcr_tiny.py",
    "_base_/schedules/adamw_cosine.py",
    "_base_/default_runtime.py",
]

from lcr_runtime.text import read_label_map  # noqa: E402

classes = tuple(read_label_map(f"{data_root}/label_map.txt"))

model = dict(cls_head=dict(num_classes=len(classes), label_smooth_eps=0.1))

train_pipeline = [
    dict(type="DecordInit"),
    dict(type="UniformSample", clip_len=16),
    dict(type="DecordDecode"),
    dict(
        type="RandomResizedCrop",
        area_range=(0.6, 1.0),
        aspect_ratio_range=(0.9, 1.6),
    ),
    dict(type="Resize", scale=(224, 224), keep_ratio=False),
    # Leave this out if left and right mean different classes, or name those that
    # trade places: flip_label_map={0: 1, 1: 0}.
    dict(type="Flip", flip_ratio=0.5),
    dict(type="EdgeExtract"),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
test_pipeline = [
    dict(type="DecordInit"),
    dict(type="UniformSample", clip_len=16, test_mode=True),
    dict(type="DecordDecode"),
    dict(type="Resize", scale=(224, 224), keep_ratio=False),
    dict(type="EdgeExtract"),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="CheckedVideoDataset",
        ann_file=f"{data_root}/train_list.txt",
        data_prefix=dict(video=data_root),
        metainfo=dict(classes=classes),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="CheckedVideoDataset",
        ann_file=f"{data_root}/val_list.txt",
        data_prefix=dict(video=data_root),
        metainfo=dict(classes=classes),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="AccMetric")
test_evaluator = val_evaluator
