# LCR for streams: windows of continuous videos at about 4 frames a second, 64x64, a
# loss over their frames. In most of the windows rates vary and frames are missing, and
# the model knows the times in between. Pictures bring no edges: the model finds them in
# its graph, and so does what is exported. Trained on synthetic videos (STREAM_ROOT, and
# folders of that name with the case at the end), tested on clips.
# Starts from the model that ships, or from lcr_jester_tiny.py with the same cell:
#   tools/train.py configs/lcr_jester_stream.py --cfg-options load_from=CHECKPOINT
_base_ = ["lcr_jester_tiny.py"]

from lcr_mmaction.optim.schedules import warmup_cosine  # noqa: E402
from lcr_mmaction.transforms.pipelines import window_pipeline, without_edges  # noqa: E402

stream_root = "{{$STREAM_ROOT:data/synthetic_streams/train}}"
cases = ("", "_background", "_repeated", "_without_pause", "_held", "_slow", "_fast")
no_gesture = 25

model = dict(
    type="LCRRecognizer",
    data_preprocessor=dict(
        mean=_base_.model.data_preprocessor.mean[:3],
        std=_base_.model.data_preprocessor.std[:3],
    ),
    backbone=dict(cell="bounded"),
    cls_head=dict(type="LCRFrameHead", consensus="last"),
)

val_pipeline = without_edges(_base_.val_pipeline)
test_pipeline = without_edges(_base_.test_pipeline)
# 5 seconds of the steady ones.
train_pipeline = window_pipeline(
    without_edges(_base_.train_pipeline),
    dict(
        type="SampleVariedRate",
        clip_len=20,
        rate=4,
        rates=(0.25, 1.5),
        jitter=0.2,
        drop=0.5,
        steady=0.25,
        clips=0.25,
    ),
    background=no_gesture,
    flip_label_map=_base_.flip_label_map,
)
train_pipeline[-1] = dict(type="PackActionInputs", meta_keys=("elapsed",))
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="ConcatDataset",
        datasets=[
            dict(
                type="TimelineDataset",
                ann_file=stream_root + case + "/timelines",
                data_prefix=dict(img=stream_root + case + "/frames"),
                filename_tmpl="{:05}.jpg",
                metainfo=dict(classes=_base_.classes),
                pipeline=train_pipeline,
            )
            for case in cases
        ],
    ),
)
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=val_pipeline))
max_epochs = 5
train_cfg = dict(max_epochs=max_epochs, val_interval=1)
optim_wrapper = dict(optimizer=dict(lr=7e-4))
param_scheduler = warmup_cosine(max_epochs, warmup_steps=50)
# Chosen on synthetic videos of the training split: docs/model_card.md.
streaming = dict(
    fps=4,
    policy=dict(name="staggered", period=16),
    smoothing=0.0,
    events=dict(on=0.5, off=0.3, min_frames=3, cooldown=1.0),
    thin=True,
)
