"""The learning rate that each model of the peers' study learns best with."""

from harness.study import USUAL_SIZES, Study, Variant

FACTORS = (0.5, 1, 2)
# TSN, which is TSM's network without the shift, takes its rate.
MIDDLE = {
    "LCR": 2e-3,
    "resnet3d": 2e-3,
    "slowonly": 1e-3,
    "timesformer": 1e-3,
    "tsm": 1e-3,
    "video_vit": 1e-3,
}


def rates(name: str, middle: float) -> list[Variant]:
    """One model at three learning rates."""
    config = None if name == "LCR" else f"tools/experiments/peers/{name}.py"
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


STUDY = Study(
    title="Peers' learning rates",
    question="Which learning rate suits each model of the peers' study?",
    sizes=USUAL_SIZES,
    variants=[
        variant for name, middle in MIDDLE.items() for variant in rates(name, middle)
    ],
    x_label="learning rate",
)
