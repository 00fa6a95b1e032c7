"""The balance between edge and temporal information."""

from harness.study import Clips, Size, Study, Variant

WEIGHTS = (0.0, 0.5, 2.0)

STUDY = Study(
    title="Edge weight",
    question="How much should the edge weigh against what comes from the past? The "
    "embedded edge is multiplied by a fixed factor; 1 is the default, 0 takes it away.",
    sizes={
        "quick": Size(Clips(1080, 540), epochs=6),
        "full": Size(Clips(27000, 2700), epochs=30),
    },
    variants=[
        Variant("base", x=1.0, reference=True),
        *(
            Variant(
                f"weight {weight:g}", {"model.backbone.edge_weight": weight}, x=weight
            )
            for weight in WEIGHTS
        ),
    ],
    x_label="edge weight",
)
