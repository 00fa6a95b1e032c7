"""What each part of LCR is worth: one part at a time changed or left out."""

from dataclasses import replace

from harness.study import LONG, ORDERED, ROOT, USUAL_SIZES, Study, Variant
from mmengine.config import Config

PATCH = 16


def backbone(name: str, **options: object) -> Variant:
    """A variant with other options of the backbone."""
    return Variant(name, {f"model.backbone.{key}": x for key, x in options.items()})


def masked(ratio: float) -> Variant:
    """A variant trained with tube masking."""
    mask = {"TubeMask": dict(mask_ratio=ratio, patch_size=PATCH)}
    return Variant(f"tube masking {ratio:g}", train_edits=mask)


def ordered(name: str, size: str, **options: object) -> Variant:
    """A variant that tells the order of three gestures, which has to be remembered."""
    variant = backbone(f"{name}, order of three", **options)
    task = dict(clips=ORDERED[size], edits=LONG, group="order of three gestures")
    return replace(variant, size=size, **task)


def paper() -> Variant:
    """All that the paper-literal config sets, at the study's width and depth."""
    model = Config.fromfile(ROOT / "configs" / "lcr_jester_paper.py").model
    own = ("type", "arch", "img_size", "patch_size", "drop_path_rate")
    options = {
        f"model.backbone.{key}": value
        for key, value in model.backbone.items()
        if key not in own
    }
    options["model.cls_head.consensus"] = model.cls_head.consensus
    return Variant("paper-literal", options)


STUDY = Study(
    title="Components",
    question="What is each part worth? One part at a time is exchanged or left out; "
    "the reference is the default.",
    sizes=USUAL_SIZES,
    variants=[
        Variant("base", reference=True),
        backbone("softmax attention", mixer="attention"),
        backbone("no LSTM", cell="none"),
        masked(0.5),
        backbone("bounded cell", cell="bounded"),
        backbone("paper's cell", cell="paper"),
        backbone("feedback", block="feedback"),
        backbone("no residual path", block="plain"),
        backbone("keys from the edge alone", kv_source="edge"),
        backbone("patch embedding", patch_embed="patch"),
        backbone("dynamic decay", mixer="rwkv_dynamic"),
        backbone("no token shift", token_shift="none"),
        backbone("class token readout", readout="cls"),
        paper(),
        *(
            variant
            for size in ORDERED
            for variant in (
                ordered("base", size),
                ordered("no LSTM", size, cell="none"),
                ordered("paper's cell", size, cell="paper"),
                ordered("no edges", size, edge_weight=0.0),
                ordered("no token shift", size, token_shift="none"),
            )
        ),
    ],
)
