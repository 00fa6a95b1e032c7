# LCR for the continuous videos of IPN Hand: windows of 5 seconds at 5 frames a second,
# a loss over their frames; tested on single gestures, and on whole videos by
# tools/streaming/evaluate.py. Starts from lcr_ipn.py's checkpoint (load_from). Never
# trained on the data itself; thresholds want tuning on the training videos.
_base_ = ["lcr_ipn.py"]

from lcr_mmaction.optim.schedules import warmup_cosine  # noqa: E402
from lcr_mmaction.transforms.pipelines import window_pipeline  # noqa: E402

model = dict(cls_head=dict(type="LCRFrameHead", consensus="last"))

# Of 30 frames a second.
train_pipeline = window_pipeline(
    _base_.train_pipeline,
    dict(type="SampleWindow", clip_len=25, frame_interval=6),
    background=_base_.no_gesture,
    flip_label_map=_base_.flip_label_map,
)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="TimelineDataset",
        ann_file=_base_.data_root + "/train/timelines",
        data_prefix=dict(img=_base_.data_root + "/frames"),
        filename_tmpl="{:05}.jpg",
        metainfo=dict(classes=_base_.classes),
        pipeline=train_pipeline,
    ),
)
max_epochs = 10
train_cfg = dict(max_epochs=max_epochs, val_interval=2)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = warmup_cosine(max_epochs, warmup_steps=100)
streaming = dict(fps=5, events=dict(min_frames=2, cooldown=0.0))
