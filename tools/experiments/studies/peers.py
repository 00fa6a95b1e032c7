"""LCR beside other models of its size, on the same clips."""

from harness.study import ROOT, USUAL_SIZES, Clips, Size, Study, Variant

PEERS = ROOT / "tools" / "experiments" / "peers"
# The tiny config's own schedule: in a shorter one most peers are still at chance.
WHOLE_SCHEDULE = Size(Clips(4320, 540), epochs=12, val_interval=3)

STUDY = Study(
    title="Peers",
    question="How does LCR compare with other recognizers of its size, trained from "
    "scratch on the same clips with the same augmentation for as many epochs?",
    sizes=USUAL_SIZES | {"quick": WHOLE_SCHEDULE},
    variants=[
        Variant("LCR", reference=True),
        *(
            Variant(path.stem, config=str(path.relative_to(ROOT)))
            for path in sorted(PEERS.glob("*.py"))
            if not path.name.startswith("_")
        ),
    ],
)
