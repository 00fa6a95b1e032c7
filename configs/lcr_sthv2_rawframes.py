# LCR on Something-Something V2 from extracted frames instead of videos.
_base_ = ["lcr_sthv2.py"]

data_root = _base_.data_root
frames = dict(
    type="CheckedRawframeDataset",
    data_prefix=dict(_delete_=True, img=data_root + "/rawframes"),
)
train_pipeline = [
    _base_.train_pipeline[1],
    dict(type="RawFrameDecode"),
    *_base_.train_pipeline[3:],
]
val_pipeline = [
    _base_.val_pipeline[1],
    dict(type="RawFrameDecode"),
    *_base_.val_pipeline[3:],
]
test_frames_pipeline = [
    _base_.test_pipeline[1],
    dict(type="RawFrameDecode"),
    *_base_.test_pipeline[3:],
]
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
