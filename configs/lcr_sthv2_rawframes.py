# LCR on Something-Something V2 from extracted frames instead of videos.
_base_ = ["lcr_sthv2.py"]

from lcr_mmaction.transforms.pipelines import from_frames  # noqa: E402

data_root = _base_.data_root
frames = dict(
    type="CheckedRawframeDataset",
    data_prefix=dict(_delete_=True, img=data_root + "/rawframes"),
)
train_pipeline = from_frames(_base_.train_pipeline)
val_pipeline = from_frames(_base_.val_pipeline)
test_frames_pipeline = from_frames(_base_.test_pipeline)
train_dataloader = dict(
    dataset=dict(
        ann_file=data_root + "/sthv2_train_list_rawframes.txt",
        pipeline=train_pipeline,
        **frames,
    )
)
val_dataloader = dict(
    dataset=dict(
        ann_file=data_root + "/sthv2_val_list_rawframes.txt",
        pipeline=val_pipeline,
        **frames,
    )
)
test_dataloader = dict(
    dataset=dict(
        ann_file=data_root + "/sthv2_val_list_rawframes.txt",
        pipeline=test_frames_pipeline,
        **frames,
    )
)
