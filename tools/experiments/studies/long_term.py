"""Tube masking and long-term dependencies."""

from harness.study import LONG, ORDERED, USUAL_SIZES, Study, Variant

RATIOS = (0.0, 0.5, 0.75)


def masked(ratio: float) -> dict:
    """Tube masking in training; none for ratio 0, so that the run is the base's."""
    return {"TubeMask": dict(mask_ratio=ratio, patch_size=16)} if ratio else {}


STUDY = Study(
    title="Tube masking and long-term dependencies",
    question="Does hiding the same patches of all frames cost more where the class is "
    "the order of several gestures, so that something has to be remembered, than where "
    "it is a single gesture?",
    sizes=USUAL_SIZES,
    variants=[
        *(
            Variant(
                f"single gesture, masked {ratio:g}",
                train_edits=masked(ratio),
                group="single gesture",
                x=ratio,
            )
            for ratio in RATIOS
        ),
        *(
            Variant(
                f"order of three, masked {ratio:g}",
                edits=LONG,
                train_edits=masked(ratio),
                clips=clips,
                group="order of three gestures",
                x=ratio,
                size=size,
            )
            for size, clips in ORDERED.items()
            for ratio in RATIOS
        ),
    ],
    x_label="mask ratio in training",
)
