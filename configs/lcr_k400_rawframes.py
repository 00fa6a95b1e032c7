# LCR on Kinetics-400 from extracted frames instead of videos.
_base_ = ["lcr_k400.py"]

from lcr_mmaction.transforms.pipelines import from_frames  # noqa: E402

data_root = _base_.data_root

train_pipeline = from_frames(_base_.train_pipeline)
val_pipeline = from_frames(_base_.val_pipeline)
test_frames_pipeline = from_frames(_base_.test_pipeline)
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
