# The paper's description taken literally, where it can be: one 16x16 convolution,
# zero-initialised edges that alone give keys and values, the unbounded cell, no
# path around it, and the class token of the last frame as readout.
_base_ = ["lcr_jester.py"]

model = dict(
    backbone=dict(
        arch="paper",
        block="paper",
        cell="paper",
        kv_source="edge",
        token_shift="q_shift",
        patch_embed="patch",
        readout="cls",
        positions="rope",
        zero_init_edge=True,
    ),
    cls_head=dict(consensus="last"),
)
