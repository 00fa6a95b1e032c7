# Something-Something V2 as MMAction2 lays it out: videos and list files.
# Another place than data/sthv2: set the environment variable STHV2_ROOT.
_base_ = ["loaders.py"]

data_root = "{{$STHV2_ROOT:data/sthv2}}"
# Pulling and pushing something from left to right and back, turning the camera left
# and right: these trade places in a mirror.
flip_label_map = {86: 87, 87: 86, 93: 94, 94: 93, 166: 167, 167: 166}

train_pipeline = [
    dict(type="VideoInit"),
    dict(type="UniformSample", clip_len=16),
    dict(type="VideoDecode"),
    dict(
        type="RandomResizedCrop",
        area_range=(0.4, 1.0),
        aspect_ratio_range=(0.75, 1.33),
    ),
    dict(type="Resize", scale=(224, 224), keep_ratio=False),
    dict(type="Flip", flip_ratio=0.5, flip_label_map=flip_label_map),
    dict(type="EdgeExtract"),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
val_pipeline = [
    dict(type="VideoInit"),
    dict(type="UniformSample", clip_len=16, test_mode=True),
    dict(type="VideoDecode"),
    dict(type="Resize", scale=(-1, 224)),
    dict(type="CenterCrop", crop_size=224),
    dict(type="EdgeExtract"),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
# One clip, three crops, as the zoo tests on this data set.
test_pipeline = [*val_pipeline]
test_pipeline[4] = dict(type="ThreeCrop", crop_size=224)
train_dataloader = dict(
    dataset=dict(
        type="CheckedVideoDataset",
        ann_file=data_root + "/sthv2_train_list_videos.txt",
        data_prefix=dict(video=data_root + "/videos"),
        pipeline=train_pipeline,
    )
)
val_clips = dict(
    type="CheckedVideoDataset",
    ann_file=data_root + "/sthv2_val_list_videos.txt",
    data_prefix=dict(video=data_root + "/videos"),
)
val_dataloader = dict(dataset=dict(val_clips, pipeline=val_pipeline))
test_dataloader = dict(batch_size=4, dataset=dict(val_clips, pipeline=test_pipeline))
del val_clips
