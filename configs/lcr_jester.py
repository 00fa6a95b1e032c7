# LCR on Jester from scratch at the paper's size: 16 frames, 224x224, 27 classes.
_base_ = [
    "_base_/models/lcr_tiny.py",
    "_base_/datasets/jester_rawframes.py",
    "_base_/schedules/adamw_cosine.py",
    "_base_/default_runtime.py",
]

model = dict(
    backbone=dict(drop_path_rate=0.1),
    cls_head=dict(dropout_ratio=0.2, label_smooth_eps=0.1),
)

train_pipeline = [
    dict(type="UniformSample", clip_len=16),
    dict(type="RawFrameDecode"),
    dict(
        type="RandomResizedCrop",
        area_range=(0.6, 1.0),
        aspect_ratio_range=(0.9, 1.6),
    ),
    dict(type="Resize", scale=(224, 224), keep_ratio=False),
    dict(type="Flip", flip_ratio=0.5, flip_label_map=_base_.flip_label_map),
    dict(type="EdgeExtract"),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
val_pipeline = [
    dict(type="UniformSample", clip_len=16, test_mode=True),
    dict(type="RawFrameDecode"),
    dict(type="Resize", scale=(224, 224), keep_ratio=False),
    dict(type="EdgeExtract"),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
# The same on a video file: what `inference_recognizer` and `vis_cam.py` run.
test_pipeline = [
    dict(type="DecordInit"),
    val_pipeline[0],
    dict(type="DecordDecode"),
    *val_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=val_pipeline))
