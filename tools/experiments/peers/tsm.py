# TSM: MobileNetV2 whose residual blocks see an eighth of the channels of the frame
# before and of the frame after; scores averaged over the frames.
_base_ = ["_base_/frames.py"]

model = dict(
    backbone=dict(
        type="MobileNetV2TSM",
        num_segments=8,
        shift_div=8,
        widen_factor=0.3,
        pretrained2d=False,
    ),
    cls_head=dict(
        type="TSMHead",
        num_classes=27,
        in_channels=1280,
        num_segments=8,
        dropout_ratio=0.0,
        average_clips="prob",
        label_smooth_eps=0.05,
    ),
)
