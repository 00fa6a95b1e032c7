# LCR at the paper's budget: width 192, 12 blocks, 16x224x224 clips.
model = dict(
    type="Recognizer3D",
    backbone=dict(type="LCRBackbone", arch="tiny", img_size=224, patch_size=16),
    cls_head=dict(
        type="LCRHead",
        num_classes=27,
        in_channels=384,
        average_clips="prob",
        loss_cls=dict(type="CrossEntropyLoss"),
    ),
    data_preprocessor=dict(
        type="LCRDataPreprocessor",
        # RGB and the edge map of EdgeExtract, which ends up between 0 and 1.
        mean=[123.675, 116.28, 103.53, 0],
        std=[58.395, 57.12, 57.375, 255],
        format_shape="NCTHW",
    ),
)
