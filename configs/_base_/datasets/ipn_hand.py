# IPN Hand as tools/data/ipn_hand/convert.py lays it out: single gestures within videos.
# Another place than data/ipn_hand: set the environment variable IPN_ROOT.
_base_ = ["loaders.py"]

data_root = "{{$IPN_ROOT:data/ipn_hand}}"
# Throwing left and right trade places in a mirror.
flip_label_map = {6: 7, 7: 6}
no_gesture = 13
classes = (
    "Pointing with one finger",
    "Pointing with two fingers",
    "Click with one finger",
    "Click with two fingers",
    "Throw up",
    "Throw down",
    "Throw left",
    "Throw right",
    "Open twice",
    "Double click with one finger",
    "Double click with two fingers",
    "Zoom in",
    "Zoom out",
    "No gesture",
)
gestures = dict(
    type="CheckedRawframeDataset",
    data_prefix=dict(img=data_root + "/frames"),
    filename_tmpl="{:05}.jpg",
    with_offset=True,
    metainfo=dict(classes=classes),
)
train_dataloader = dict(
    dataset=dict(gestures, ann_file=data_root + "/train_isolated.txt")
)
val_dataloader = dict(dataset=dict(gestures, ann_file=data_root + "/test_isolated.txt"))
test_dataloader = val_dataloader
del gestures
