# LCR on Kinetics-400 from an image model: Vision-RWKV's ImageNet weights, as
# tools/model_converters/vision_rwkv.py writes them to checkpoints/vrwkv_tiny.pth
# (another file: set VRWKV_CHECKPOINT). Other sizes, and version 6: --cfg-options
# model.backbone.arch=vrwkv6_small model.cls_head.in_channels=768 (twice the width).
_base_ = [
    "_base_/models/lcr_vrwkv_tiny.py",
    "_base_/datasets/kinetics400_videos.py",
    "_base_/schedules/adamw_layer_decay.py",
    "_base_/default_runtime.py",
]

model = dict(
    backbone=dict(drop_path_rate=0.1),
    cls_head=dict(num_classes=400, dropout_ratio=0.2, label_smooth_eps=0.1),
)
load_from = "{{$VRWKV_CHECKPOINT:checkpoints/vrwkv_tiny.pth}}"
auto_scale_lr = dict(base_batch_size=128)
