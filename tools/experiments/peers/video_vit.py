# A plain video ViT: VideoMAE's encoder from scratch, all tokens of all frames (tubes
# of two) attend to each other; mean over the tokens.
_base_ = ["_base_/clips.py"]

model = dict(
    backbone=dict(
        type="VisionTransformer",
        num_frames=8,
        tubelet_size=2,
        img_size=64,
        patch_size=8,
        embed_dims=64,
        num_heads=4,
        depth=7,
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
