# LCR for a CPU: width 96, 2 blocks.
_base_ = ["lcr_tiny.py"]

model = dict(
    backbone=dict(arch="nano", img_size=64),
    cls_head=dict(in_channels=192),
)
