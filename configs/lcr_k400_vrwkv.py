# LCR on Kinetics-400 from an image model: Vision-RWKV's ImageNet weights, as
# tools/model_converters/vision_rwkv.py writes them to checkpoints/vrwkv_tiny.pth
# (another file: set VRWKV_CHECKPOINT). Other sizes, and version 6: --cfg-options
# model.backbone.arch=vrwkv6_small model.cls_head.in_channels=768 (twice the width).
_base_ = ["lcr_k400.py"]

model = dict(
    backbone=dict(
        _delete_=True,
        type="LCRBackbone",
        arch="vrwkv_tiny",
        img_size=224,
        drop_path_rate=0.1,
    )
)
load_from = "{{$VRWKV_CHECKPOINT:checkpoints/vrwkv_tiny.pth}}"

max_epochs = 30
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(
    constructor="LayerDecayOptimWrapperConstructor",
    optimizer=dict(lr=5e-4, betas=(0.9, 0.999)),
    paramwise_cfg=dict(layer_decay_rate=0.75),
)
param_scheduler = [
    dict(
        type="LinearLR",
        start_factor=0.01,
        by_epoch=True,
        begin=0,
        end=5,
        convert_to_iter_based=True,
    ),
    dict(
        type="CosineAnnealingLR",
        eta_min_ratio=0.01,
        by_epoch=True,
        begin=5,
        end=max_epochs,
        convert_to_iter_based=True,
    ),
]
