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
auto_scale_lr = dict(base_batch_size=128)
