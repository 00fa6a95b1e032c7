# Something-Something V2 as MMAction2 lays it out: videos and list files.
# Another place than data/sthv2: set the environment variable STHV2_ROOT.
data_root = "{{$STHV2_ROOT:data/sthv2}}"
# Pulling and pushing something from left to right and back, turning the camera left
# and right: these trade places in a mirror.
flip_label_map = {86: 87, 87: 86, 93: 94, 94: 93, 166: 167, 167: 166}

train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="CheckedVideoDataset",
        ann_file=data_root + "/sthv2_train_list_videos.txt",
        data_prefix=dict(video=data_root + "/videos"),
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
        ann_file=data_root + "/sthv2_val_list_videos.txt",
        data_prefix=dict(video=data_root + "/videos"),
        pipeline=[],
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="AccMetric")
test_evaluator = val_evaluator
