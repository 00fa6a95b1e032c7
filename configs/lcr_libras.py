# The tiny LCR on Libras Movement: real hand paths, drawn pixels, 16 frames, 64x64,
# 15 classes; see docs/libras.md. Another place than data/libras: set LIBRAS_ROOT.
_base_ = ["lcr_jester_tiny.py"]

from lcr_mmaction.transforms.pipelines import clip_pipelines  # noqa: E402

data_root = "{{$LIBRAS_ROOT:data/libras}}"
# The table numbers its classes and does not name them.
classes = tuple(f"Movement {number}" for number in range(1, 16))

model = dict(cls_head=dict(num_classes=15))

# No mirroring: a mirrored clockwise arc is an anti-clockwise one.
train_pipeline, val_pipeline, test_pipeline = clip_pipelines(
    clip_len=16,
    size=64,
    crop=dict(area_range=(0.7, 1.0), aspect_ratio_range=(1.2, 1.8)),
)
data = dict(data_prefix=dict(img=data_root), metainfo=dict(classes=classes))
train_dataloader = dict(
    dataset=dict(
        ann_file=data_root + "/libras_train_list_rawframes.txt",
        pipeline=train_pipeline,
        **data,
    )
)
val_dataloader = dict(
    dataset=dict(
        ann_file=data_root + "/libras_val_list_rawframes.txt",
        pipeline=val_pipeline,
        **data,
    )
)
test_dataloader = val_dataloader
del data
