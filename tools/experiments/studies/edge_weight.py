"""The balance between edge and temporal information."""

from harness.study import USUAL_SIZES, Study, Variant

WEIGHTS = (0.0, 0.5, 2.0)

STUDY = Study(
    title="Edge weight",
    question="How much should the edge weigh against what comes from the past? The "
    "embedded edge is multiplied by a fixed factor; 1 is the default, 0 takes it away.",
    sizes=USUAL_SIZES,
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
