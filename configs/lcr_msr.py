# The tiny LCR on MSR-Action3D: depth videos of 10 people, 16 frames, 64x64, 20 actions;
# see docs/real_video.md. Another place than data/msr_action3d: set MSR_ROOT; another
# pair of lists than those of protocol A: set MSR_SPLIT.
_base_ = [
    "_base_/models/lcr_nano.py",
    "_base_/schedules/adamw_cosine.py",
    "_base_/default_runtime.py",
]

from lcr_mmaction.optim.schedules import warmup_cosine  # noqa: E402
from lcr_mmaction.transforms.pipelines import clip_pipelines  # noqa: E402

data_root = "{{$MSR_ROOT:data/msr_action3d}}"
split = "{{$MSR_SPLIT:a}}"
classes = (
    "high arm wave",
    "horizontal arm wave",
    "hammer",
    "hand catch",
    "forward punch",
    "high throw",
    "draw x",
    "draw tick",
    "draw circle",
    "hand clap",
    "two hand wave",
    "side boxing",
    "bend",
    "forward kick",
    "side kick",
    "jogging",
    "tennis swing",
    "tennis serve",
    "golf swing",
    "pickup and throw",
)

model = dict(
    cls_head=dict(num_classes=20, label_smooth_eps=0.05),
    # Depth three times, most of it background, and the edges.
    data_preprocessor=dict(mean=[60, 60, 60, 0], std=[80, 80, 80, 255]),
)

# No mirroring: most actions are done with the right hand.
train_pipeline, val_pipeline, test_pipeline = clip_pipelines(
    clip_len=16,
    size=64,
    crop=dict(area_range=(0.7, 1.0), aspect_ratio_range=(0.85, 1.2)),
)
# People differ in where, how fast and how near to the camera they move.
train_pipeline[:1] = [
    dict(type="RandomTemporalCrop", min_share=0.7),
    dict(type="TimeWarpedSample", clip_len=16),
]
train_pipeline[3:3] = [
    dict(type="RandomGrey"),
    dict(type="RandomAffine", degrees=8, translate=0.04, shear=6),
]
test_pipeline = val_pipeline
data = dict(
    type="CheckedRawframeDataset",
    data_prefix=dict(img=data_root),
    filename_tmpl="{:05}.png",
    metainfo=dict(classes=classes),
)
train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        ann_file=f"{data_root}/{split}_train.txt", pipeline=train_pipeline, **data
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        ann_file=f"{data_root}/{split}_test.txt",
        pipeline=val_pipeline,
        test_mode=True,
        **data,
    ),
)
test_dataloader = val_dataloader
del data
val_evaluator = dict(type="AccMetric")
test_evaluator = val_evaluator

max_epochs = 160
# The people of the test list are looked at once, at the end.
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(
    type="AmpOptimWrapper",
    dtype="bfloat16",
    optimizer=dict(lr=2e-3, weight_decay=0.2),
)
param_scheduler = warmup_cosine(max_epochs, warmup_epochs=2)
auto_scale_lr = dict(base_batch_size=16)
env_cfg = dict(dist_cfg=dict(backend="gloo"))
# For clips joined into streams, chosen on training people: docs/real_video.md.
streaming = dict(
    fps=6,
    policy=dict(name="staggered", period=16),
    smoothing=0.3,
    events=dict(cooldown=0.0),
)
