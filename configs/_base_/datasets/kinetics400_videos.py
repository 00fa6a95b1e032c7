# Kinetics-400 as MMAction2 lays it out: videos and list files.
# Another place than data/kinetics400: set the environment variable KINETICS400_ROOT.
_base_ = ["loaders.py"]

data_root = "{{$KINETICS400_ROOT:data/kinetics400}}"

train_pipeline = [
    dict(type="VideoInit"),
    dict(type="SampleFrames", clip_len=16, frame_interval=4, num_clips=1),
    dict(type="VideoDecode"),
    dict(type="Resize", scale=(-1, 256)),
    dict(type="RandomResizedCrop", area_range=(0.25, 1.0)),
    dict(type="Resize", scale=(224, 224), keep_ratio=False),
    dict(type="Flip", flip_ratio=0.5),
    dict(type="EdgeExtract"),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
val_pipeline = [
    dict(type="VideoInit"),
    dict(
        type="SampleFrames",
        clip_len=16,
        frame_interval=4,
        num_clips=1,
        test_mode=True,
    ),
    dict(type="VideoDecode"),
    dict(type="Resize", scale=(-1, 224)),
    dict(type="CenterCrop", crop_size=224),
    dict(type="EdgeExtract"),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
# Ten clips, three crops each, as the zoo tests on this data set.
test_pipeline = [*val_pipeline]
test_pipeline[1] = {**val_pipeline[1], "num_clips": 10}
test_pipeline[4] = dict(type="ThreeCrop", crop_size=224)
train_dataloader = dict(
    dataset=dict(
        type="CheckedVideoDataset",
        ann_file=data_root + "/kinetics400_train_list_videos.txt",
        data_prefix=dict(video=data_root + "/videos_train"),
        pipeline=train_pipeline,
    )
)
val_clips = dict(
    type="CheckedVideoDataset",
    ann_file=data_root + "/kinetics400_val_list_videos.txt",
    data_prefix=dict(video=data_root + "/videos_val"),
)
val_dataloader = dict(dataset=dict(val_clips, pipeline=val_pipeline))
test_dataloader = dict(batch_size=1, dataset=dict(val_clips, pipeline=test_pipeline))
del val_clips
