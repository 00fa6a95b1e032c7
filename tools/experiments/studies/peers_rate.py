"""The learning rate that each model of the peers' study learns best with."""

from harness.study import ROOT, USUAL_SIZES, Study, Variant
from mmengine.config import Config

PEERS = ROOT / "tools" / "experiments" / "peers"
LCR = "configs/lcr_jester_tiny.py"
FACTORS = (0.5, 1, 2)
# TSN, which is TSM's network without the shift, takes its rate.
MIDDLE = {
    "resnet3d": 2e-3,
    "slowonly": 2e-3,
    "timesformer": 1e-3,
    "tsm": 2e-3,
    "video_vit": 1e-3,
}


def rates(name: str, config: str, middle: float) -> list[Variant]:
    """One model at three learning rates."""
    return [
        Variant(
            f"{name}, {factor * middle:g}",
            {"optim_wrapper.optimizer.lr": factor * middle},
            config=config,
            group=name,
            x=factor * middle,
        )
        for factor in FACTORS
    ]


RATE = Config.fromfile(ROOT / LCR).optim_wrapper.optimizer.lr

STUDY = Study(
    title="Peers' learning rates",
    question="Which learning rate suits each model of the peers' study? Its config has "
    "the best of the three.",
    sizes=USUAL_SIZES,
    variants=[
        *rates("LCR", LCR, RATE),
        *(
            variant
            for name, middle in MIDDLE.items()
            for variant in rates(name, f"tools/experiments/peers/{name}.py", middle)
        ),
    ],
    x_label="learning rate",
)
