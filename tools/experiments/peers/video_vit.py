# A plain video ViT: VideoMAE's encoder from scratch, all tokens of all frames attend to
# each other; mean over the tokens.
_base_ = ["_base_/transformers.py"]

model = dict(
    backbone=dict(
        type="VisionTransformer",
        num_frames=8,
        tubelet_size=1,
        img_size=64,
        patch_size=16,
        embed_dims=64,
        num_heads=4,
        depth=6,
    ),
)
