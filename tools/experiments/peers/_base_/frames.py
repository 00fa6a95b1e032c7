# The same frames one by one, for 2-D networks: [N, 8, 3, 64, 64].
_base_ = ["clips.py"]

train_pipeline = _base_.train_pipeline
val_pipeline = _base_.val_pipeline
test_pipeline = _base_.test_pipeline
for pipeline in (train_pipeline, val_pipeline, test_pipeline):
    pipeline[-2].input_format = "NCHW"
del pipeline
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=val_pipeline))

model = dict(type="Recognizer2D", data_preprocessor=dict(format_shape="NCHW"))
