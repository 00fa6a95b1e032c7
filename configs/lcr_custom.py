# LCR on your own videos: a folder per class, listed by
# `python tools/data/custom/build_lists.py data/custom`. Another place than data/custom:
# set the environment variable CUSTOM_ROOT. What to expect and how to change it:
# docs/small_data.md.
data_root = "{{$CUSTOM_ROOT:data/custom}}"

_base_ = [
    "_base_/models/lcr_nano.py",
    "_base_/schedules/adamw_cosine.py",
    "_base_/default_runtime.py",
]

from os.path import exists  # noqa: E402

from lcr_mmaction.hooks.flip_maps import safe_flip  # noqa: E402
from lcr_mmaction.optim.schedules import warmup_cosine  # noqa: E402
from lcr_mmaction.transforms.pipelines import clip_pipelines  # noqa: E402
from lcr_runtime.text import read_label_map, read_lines  # noqa: E402

classes = tuple(read_label_map(f"{data_root}/label_map.txt"))
train_list = f"{data_root}/train_list.txt"

model = dict(cls_head=dict(num_classes=len(classes), label_smooth_eps=0.05))

train_pipeline, val_pipeline, test_pipeline = clip_pipelines(
    clip_len=16,
    size=64,
    videos=True,
    crop=dict(
        type="RandomRelativeCrop",
        area_range=(0.7, 1.0),
        aspect_ratio_range=(0.72, 1.28),
    ),
    # Mirrored half of the time, unless the names tell of sides that the classes lack.
    # If sides count and the names do not tell: flip=None.
    flip=safe_flip(classes),
)
# Actions begin and end elsewhere, hurry and linger.
train_pipeline[1:2] = [
    dict(type="RandomTemporalCrop", min_share=0.7),
    dict(type="TimeWarpedSample", clip_len=16),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="CheckedVideoDataset",
        ann_file=train_list,
        data_prefix=dict(video=data_root),
        metainfo=dict(classes=classes),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=2,
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

# The same number of steps for 50 clips as for 500, about 1500 of 16 clips. A list that
# is missing is named by the dataset, when training starts.
num_clips = len(read_lines(train_list)) if exists(train_list) else 0
max_epochs = min(400, max(30, 24000 // max(num_clips, 1)))
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs // 10)
default_hooks = dict(checkpoint=dict(interval=max_epochs // 10))
optim_wrapper = dict(optimizer=dict(lr=2e-3, weight_decay=0.2))
param_scheduler = warmup_cosine(max_epochs, warmup_epochs=2)
auto_scale_lr = dict(base_batch_size=16)
