# LCR on your own videos: a folder per class, listed by
# `python tools/data/custom/build_lists.py`. Another place than data/custom: set the
# environment variable CUSTOM_ROOT.
data_root = "{{$CUSTOM_ROOT:data/custom}}"

_base_ = [
    "_base_/models/lcr_tiny.py",
    "_base_/schedules/adamw_cosine.py",
    "_base_/default_runtime.py",
]

from lcr_mmaction.transforms.pipelines import clip_pipelines  # noqa: E402
from lcr_runtime.text import read_label_map  # noqa: E402

classes = tuple(read_label_map(f"{data_root}/label_map.txt"))

model = dict(cls_head=dict(num_classes=len(classes), label_smooth_eps=0.1))

train_pipeline, val_pipeline, test_pipeline = clip_pipelines(
    clip_len=16,
    size=224,
    videos=True,
    crop=dict(area_range=(0.6, 1.0), aspect_ratio_range=(0.9, 1.6)),
    # Leave this out if left and right mean different classes, or name those that
    # trade places: flip_label_map={0: 1, 1: 0}.
    flip=dict(flip_ratio=0.5),
)
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
        pipeline=val_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="AccMetric")
test_evaluator = val_evaluator
