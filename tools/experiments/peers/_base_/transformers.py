# Transformers that read clips as tokens, of LCR's 16x16 pixels: 64 channels into a
# linear classifier.
_base_ = ["clips.py"]

model = dict(
    cls_head=dict(
        type="TimeSformerHead",
        num_classes=27,
        in_channels=64,
        average_clips="prob",
        label_smooth_eps=0.05,
    ),
)
