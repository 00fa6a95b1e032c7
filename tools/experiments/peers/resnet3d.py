# A 3-D ResNet that convolves over time in every layer, stem included: 18 layers in
# three stages, 13 channels wide at first; average over space and time.
_base_ = ["slowonly.py"]

model = dict(
    backbone=dict(base_channels=13, conv1_kernel=(3, 7, 7), inflate=(1, 1, 1)),
    cls_head=dict(in_channels=52),
)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
