"""What each part of the training recipe is worth."""

from harness.study import ROOT, USUAL_SIZES, Study, Variant
from mmengine.config import Config

TINY = Config.fromfile(ROOT / "configs" / "lcr_jester_tiny.py")
RATE = TINY.optim_wrapper.optimizer.lr
MIXUP = dict(type="MixupBlending", num_classes=27, alpha=0.2)

STUDY = Study(
    title="Training recipe",
    question="What is each part of the recipe worth, and what would another one bring? "
    "The model is the default throughout.",
    sizes=USUAL_SIZES,
    variants=[
        Variant("base", reference=True),
        *(
            Variant(f"learning rate {rate:g}", {"optim_wrapper.optimizer.lr": rate})
            for rate in (RATE / 2, 2 * RATE)
        ),
        Variant("no weight decay", {"optim_wrapper.optimizer.weight_decay": 0.0}),
        Variant(
            "no average of the weights",
            {"custom_hooks": [h for h in TINY.custom_hooks if h.type != "EMAHook"]},
        ),
        Variant("no label smoothing", {"model.cls_head.label_smooth_eps": 0.0}),
        Variant("mixup 0.2", {"model.data_preprocessor.blending": MIXUP}),
        Variant("last frame's score alone", {"model.cls_head.consensus": "last"}),
    ],
)
