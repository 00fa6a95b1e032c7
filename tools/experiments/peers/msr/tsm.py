# TSM on MSR-Action3D: the model of tsm.py, all else of configs/lcr_msr.py.
_base_ = ["_base_/clips.py"]

from mmengine.config import Config  # noqa: E402

peer = Config.fromfile("{{fileDirname}}/../tsm.py")
model = dict(type="Recognizer2D", data_preprocessor=dict(format_shape="NCHW"))
model["backbone"] = dict(peer.model.backbone, num_segments=16)
model["cls_head"] = dict(
    peer.model.cls_head, num_segments=16, num_classes=len(_base_.classes)
)
del peer, Config

train_pipeline = _base_.train_pipeline
val_pipeline = _base_.val_pipeline
for pipeline in (train_pipeline, val_pipeline):
    pipeline[-2].input_format = "NCHW"
del pipeline
test_pipeline = val_pipeline
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
