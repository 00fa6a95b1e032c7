"""Accuracy against video length and temporal complexity."""

from harness.study import Clips, Size, Study, Variant

LENGTHS = (8, 16, 32, 64, 128)
STEPS = (2, 3, 4)
TRAINED = 16
SMALL = {"Resize": dict(scale=(32, 32), keep_ratio=False)}
# 32x32 pixels in patches of 8: as many tokens as 64x64 in patches of 16.
SMALL_PATCHES = {"model.backbone.patch_size": 8, "model.backbone.img_size": 32}


def frames(count: int) -> dict:
    """Sample so many frames over the whole clip."""
    return {"UniformSample": dict(clip_len=count)}


def ordered(size: str, steps: int) -> Clips:
    """Clips whose class is the order of a few gestures."""
    train, val = (960, 240) if size == "quick" else (9600, 960)
    return Clips(train, val, task="ordered", mean_frames=24, steps=steps, gap=12)


def variants(size: str, clips: Clips, task: str, lengths: tuple[int, ...]) -> list:
    """One task at all training lengths, each tested at all lengths."""
    return [
        Variant(
            f"{task}, trained at {length} frames",
            edits=frames(length),
            tests={str(other): frames(other) for other in LENGTHS if other != length},
            clips=clips,
            group=task,
            x=float(length),
            size=size,
        )
        for length in lengths
    ]


# Long enough that 128 frames are hardly the same ones twice.
QUICK = Clips(1080, 270, mean_frames=96)
FULL = Clips(10800, 1080, mean_frames=96)

STUDY = Study(
    title="Length and temporal complexity",
    question="How does accuracy change with the number of frames, 8 to 128 over the "
    "same clips, and with the number of gestures whose order has to be remembered?",
    sizes={
        "quick": Size(QUICK, epochs=6, options=SMALL_PATCHES, edits=SMALL),
        "full": Size(FULL, epochs=30, options=SMALL_PATCHES, edits=SMALL),
    },
    variants=[
        # Two processors train at 128 frames for longer than at all others together.
        *variants("quick", QUICK, "single gesture", LENGTHS[:-1]),
        *variants("full", FULL, "single gesture", LENGTHS),
        *(
            variant
            for steps in STEPS
            for variant in [
                *variants(
                    "quick", ordered("quick", steps), f"{steps} steps", (TRAINED,)
                ),
                *variants("full", ordered("full", steps), f"{steps} steps", LENGTHS),
            ]
        ),
    ],
    x_label="frames",
)
