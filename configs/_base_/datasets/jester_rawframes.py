# Jester, or the synthetic stand-in in its layout: JPEG frames and list files.
# Another place than data/jester: set the environment variable JESTER_ROOT.
data_root = "{{$JESTER_ROOT:data/jester}}"
# Swiping left/right, sliding two fingers left/right and turning the hand
# clockwise/counterclockwise trade places in a mirror.
flip_label_map = {0: 1, 1: 0, 6: 7, 7: 6, 14: 15, 15: 14}
num_classes = 27

train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="CheckedRawframeDataset",
        ann_file=data_root + "/jester_train_list_rawframes.txt",
        data_prefix=dict(img=data_root),
        filename_tmpl="{:05}.jpg",
        pipeline=[],
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="CheckedRawframeDataset",
        ann_file=data_root + "/jester_val_list_rawframes.txt",
        data_prefix=dict(img=data_root),
        filename_tmpl="{:05}.jpg",
        pipeline=[],
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="AccMetric")
test_evaluator = val_evaluator
