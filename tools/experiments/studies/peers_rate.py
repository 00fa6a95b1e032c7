"""The learning rate that each model of the peers' study learns best with."""

from harness.study import ROOT, USUAL_SIZES, Study, Variant
from mmengine.config import Config

FACTORS = (0.5, 1, 2)
TINY = "configs/lcr_jester_tiny.py"
# TSN, which is TSM's network without the shift, takes its rate.
PEERS = ("resnet3d", "slowonly", "timesformer", "tsm", "video_vit")
CONFIGS = {"LCR": TINY} | {n: f"tools/experiments/peers/{n}.py" for n in PEERS}


def rates(name: str, config: str) -> list[Variant]:
    """One model at its config's learning rate, at half and at twice that."""
    own = Config.fromfile(ROOT / config).optim_wrapper.optimizer.lr
    return [
        Variant(
            f"{name}, {factor * own:g}",
            {"optim_wrapper.optimizer.lr": factor * own},
            config=config,
            group=name,
            x=factor * own,
        )
        for factor in FACTORS
    ]


STUDY = Study(
    title="Peers' learning rates",
    question="Which learning rate suits each model of the peers' study?",
    sizes=USUAL_SIZES,
    variants=[
        variant for name, config in CONFIGS.items() for variant in rates(name, config)
    ],
    x_label="learning rate",
)
