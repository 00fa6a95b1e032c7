# SlowOnly on MSR-Action3D: the model of slowonly.py, all else of configs/lcr_msr.py.
_base_ = ["_base_/clips.py"]

from mmengine.config import Config  # noqa: E402

peer = Config.fromfile("{{fileDirname}}/../slowonly.py")
model = dict(backbone=peer.model.backbone, cls_head=peer.model.cls_head)
model["cls_head"]["num_classes"] = len(_base_.classes)
del peer, Config

# The best of 1e-3, 3e-3 and 6e-3 on the split a_choose.
optim_wrapper = dict(optimizer=dict(lr=3e-3))
