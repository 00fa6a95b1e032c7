# LCR on Kinetics-400 from scratch: 16 frames of every fourth, 224x224, 400 classes.
_base_ = [
    "_base_/models/lcr_tiny.py",
    "_base_/datasets/kinetics400_videos.py",
    "_base_/schedules/adamw_cosine.py",
    "_base_/default_runtime.py",
]

model = dict(
    backbone=dict(drop_path_rate=0.1),
    cls_head=dict(num_classes=400, dropout_ratio=0.2, label_smooth_eps=0.1),
)

train_pipeline = [
    dict(type="VideoInit"),
    dict(type="SampleFrames", clip_len=16, frame_interval=4, num_clips=1),
    dict(type="VideoDecode"),
    dict(type="Resize", scale=(-1, 256)),
    dict(type="RandomResizedCrop", area_range=(0.25, 1.0)),
    dict(type="Resize", scale=(224, 224), keep_ratio=False),
    dict(type="Flip", flip_ratio=0.5),
    dict(type="EdgeExtract"),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
val_pipeline = [
    dict(type="VideoInit"),
    dict(
        type="SampleFrames",
        clip_len=16,
        frame_interval=4,
        num_clips=1,
        test_mode=True,
    ),
    dict(type="VideoDecode"),
    dict(type="Resize", scale=(-1, 224)),
    dict(type="CenterCrop", crop_size=224),
    dict(type="EdgeExtract"),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
# Ten clips, three crops each, as the zoo tests on this data set.
test_pipeline = [*val_pipeline]
test_pipeline[1] = {**val_pipeline[1], "num_clips": 10}
test_pipeline[4] = dict(type="ThreeCrop", crop_size=224)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(batch_size=1, dataset=dict(pipeline=test_pipeline))
auto_scale_lr = dict(base_batch_size=128)
