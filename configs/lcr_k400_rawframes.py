# LCR on Kinetics-400 from extracted frames instead of videos.
_base_ = ["lcr_k400.py"]

data_root = _base_.data_root

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
        ann_file=data_root + "/kinetics400_train_list_rawframes.txt",
        type="CheckedRawframeDataset",
        data_prefix=dict(_delete_=True, img=data_root + "/rawframes_train"),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        ann_file=data_root + "/kinetics400_val_list_rawframes.txt",
        type="CheckedRawframeDataset",
        data_prefix=dict(_delete_=True, img=data_root + "/rawframes_val"),
        pipeline=val_pipeline,
    )
)
test_dataloader = dict(
    dataset=dict(
        ann_file=data_root + "/kinetics400_val_list_rawframes.txt",
        type="CheckedRawframeDataset",
        data_prefix=dict(_delete_=True, img=data_root + "/rawframes_val"),
        pipeline=test_frames_pipeline,
    )
)
