# TimeSformer with divided attention, first over time, then over space; class token.
_base_ = ["_base_/transformers.py"]

model = dict(
    backbone=dict(
        type="TimeSformer",
        num_frames=8,
        img_size=64,
        patch_size=16,
        embed_dims=64,
        num_heads=4,
        num_transformer_layers=4,
        attention_type="divided_space_time",
    ),
)
