# SlowOnly: an 18-layer 3-D ResNet of three stages, 14 channels wide at first, whose
# last stage convolves over time; average over space and time.
_base_ = ["_base_/clips.py"]

model = dict(
    backbone=dict(
        type="ResNet3dSlowOnly",
        depth=18,
        lateral=False,
        base_channels=14,
        num_stages=3,
        out_indices=(2,),
        spatial_strides=(1, 2, 2),
        temporal_strides=(1, 1, 1),
        dilations=(1, 1, 1),
        inflate=(0, 0, 1),
        # Blocks that start as identities pay in long schedules, not in twelve epochs.
        zero_init_residual=False,
    ),
    cls_head=dict(
        type="I3DHead",
        num_classes=27,
        in_channels=56,
        dropout_ratio=0.0,
        average_clips="prob",
        label_smooth_eps=0.05,
    ),
)
