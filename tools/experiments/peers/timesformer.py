# TimeSformer with divided attention, first over time, then over space; class token.
_base_ = ["_base_/clips.py"]

model = dict(
    backbone=dict(
        type="TimeSformer",
        num_frames=8,
        img_size=64,
        patch_size=8,
        embed_dims=64,
        num_heads=4,
        num_transformer_layers=5,
        attention_type="divided_space_time",
    ),
    cls_head=dict(
        type="TimeSformerHead",
        num_classes=27,
        in_channels=64,
        average_clips="prob",
        label_smooth_eps=0.05,
    ),
)
# Half of what the convolutions and LCR take, as transformers from scratch want it.
optim_wrapper = dict(optimizer=dict(lr=1e-3))
