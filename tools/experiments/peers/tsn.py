# TSN: MobileNetV2 on every frame, features averaged over the frames. The same
# network as tsm.py without its shift: it cannot see in which order frames come.
_base_ = ["_base_/frames.py"]

model = dict(
    backbone=dict(type="MobileNetV2", widen_factor=0.3),
    cls_head=dict(
        type="TSNHead",
        num_classes=27,
        in_channels=1280,
        dropout_ratio=0.0,
        average_clips="prob",
        label_smooth_eps=0.05,
    ),
)
