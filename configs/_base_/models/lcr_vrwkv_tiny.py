# LCR grown on an image model: Vision-RWKV tiny.
_base_ = ["lcr_tiny.py"]

model = dict(
    backbone=dict(_delete_=True, type="LCRBackbone", arch="vrwkv_tiny", img_size=224)
)
