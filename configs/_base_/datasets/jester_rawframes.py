# Jester, or the synthetic stand-in in its layout: JPEG frames and list files.
# Another place than data/jester: set the environment variable JESTER_ROOT.
_base_ = ["loaders.py"]

data_root = "{{$JESTER_ROOT:data/jester}}"
# Swiping left/right, sliding two fingers left/right and turning the hand
# clockwise/counterclockwise trade places in a mirror.
flip_label_map = {0: 1, 1: 0, 6: 7, 7: 6, 14: 15, 15: 14}
classes = (
    "Swiping Left",
    "Swiping Right",
    "Swiping Down",
    "Swiping Up",
    "Pushing Hand Away",
    "Pulling Hand In",
    "Sliding Two Fingers Left",
    "Sliding Two Fingers Right",
    "Sliding Two Fingers Down",
    "Sliding Two Fingers Up",
    "Pushing Two Fingers Away",
    "Pulling Two Fingers In",
    "Rolling Hand Forward",
    "Rolling Hand Backward",
    "Turning Hand Clockwise",
    "Turning Hand Counterclockwise",
    "Zooming In With Full Hand",
    "Zooming Out With Full Hand",
    "Zooming In With Two Fingers",
    "Zooming Out With Two Fingers",
    "Thumb Up",
    "Thumb Down",
    "Shaking Hand",
    "Stop Sign",
    "Drumming Fingers",
    "No gesture",
    "Doing other things",
)

train_clips = dict(
    type="CheckedRawframeDataset",
    ann_file=data_root + "/jester_train_list_rawframes.txt",
    data_prefix=dict(img=data_root),
    filename_tmpl="{:05}.jpg",
    metainfo=dict(classes=classes),
)
val_clips = dict(train_clips, ann_file=data_root + "/jester_val_list_rawframes.txt")
train_dataloader = dict(dataset=train_clips)
val_dataloader = dict(dataset=val_clips)
test_dataloader = dict(dataset=val_clips)
del train_clips, val_clips
