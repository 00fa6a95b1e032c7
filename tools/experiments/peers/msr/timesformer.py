# TimeSformer on MSR-Action3D: the model of timesformer.py, all else of
# configs/lcr_msr.py.
_base_ = ["_base_/clips.py"]

from mmengine.config import Config  # noqa: E402

peer = Config.fromfile("{{fileDirname}}/../timesformer.py")
model = dict(backbone=dict(peer.model.backbone, num_frames=16))
model["cls_head"] = dict(peer.model.cls_head, num_classes=len(_base_.classes))
del peer, Config

# The class token does not decay.
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={"cls_token": dict(decay_mult=0.0)})
)
