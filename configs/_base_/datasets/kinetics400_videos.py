# Kinetics-400 as MMAction2 lays it out: videos and list files.
# Another place than data/kinetics400: set the environment variable KINETICS400_ROOT.
data_root = "{{$KINETICS400_ROOT:data/kinetics400}}"

train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="CheckedVideoDataset",
        ann_file=data_root + "/kinetics400_train_list_videos.txt",
        data_prefix=dict(video=data_root + "/videos_train"),
        pipeline=[],
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="CheckedVideoDataset",
        ann_file=data_root + "/kinetics400_val_list_videos.txt",
        data_prefix=dict(video=data_root + "/videos_val"),
        pipeline=[],
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="AccMetric")
test_evaluator = val_evaluator
