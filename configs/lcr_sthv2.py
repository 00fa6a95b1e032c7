# LCR on Something-Something V2 from scratch: 16 frames, 224x224, 174 classes.
_base_ = [
    "_base_/models/lcr_tiny.py",
    "_base_/datasets/sthv2_videos.py",
    "_base_/schedules/adamw_cosine.py",
    "_base_/default_runtime.py",
]

model = dict(
    backbone=dict(drop_path_rate=0.1),
    cls_head=dict(num_classes=174, dropout_ratio=0.2, label_smooth_eps=0.1),
)

train_pipeline = [
    dict(type="VideoInit"),
    dict(type="UniformSample", clip_len=16),
    dict(type="VideoDecode"),
    dict(
        type="RandomResizedCrop",
        area_range=(0.4, 1.0),
        aspect_ratio_range=(0.75, 1.33),
    ),
    dict(type="Resize", scale=(224, 224), keep_ratio=False),
    dict(type="Flip", flip_ratio=0.5, flip_label_map=_base_.flip_label_map),
    dict(type="EdgeExtract"),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
val_pipeline = [
    dict(type="VideoInit"),
    dict(type="UniformSample", clip_len=16, test_mode=True),
    dict(type="VideoDecode"),
    dict(type="Resize", scale=(-1, 224)),
    dict(type="CenterCrop", crop_size=224),
    dict(type="EdgeExtract"),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
# One clip, three crops, as the zoo tests on this data set.
test_pipeline = [*val_pipeline]
test_pipeline[4] = dict(type="ThreeCrop", crop_size=224)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(batch_size=4, dataset=dict(pipeline=test_pipeline))
auto_scale_lr = dict(base_batch_size=128)
