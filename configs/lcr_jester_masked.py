# LCR on Jester with tube masking: half of the patches are dropped in training.
_base_ = ["lcr_jester.py"]

train_pipeline = _base_.train_pipeline
train_pipeline.insert(-2, dict(type="TubeMask", mask_ratio=0.5, patch_size=16))
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
