"""Where the edges come from."""

from harness.study import USUAL_SIZES, Study, Variant


def source(name: str, method: str, **options: float) -> Variant:
    """A variant whose `EdgeExtract` uses another method."""
    return Variant(name, edits={"EdgeExtract": dict(method=method, **options)})


# The backbone finds the edges of three-channel clips itself.
IN_GRAPH = {
    "model.data_preprocessor.mean": [123.675, 116.28, 103.53],
    "model.data_preprocessor.std": [58.395, 57.12, 57.375],
}

STUDY = Study(
    title="Edge source",
    question="Which edges help: Canny with thresholds of Otsu's method (the paper's) "
    "or fixed ones, plain gradients, or none?",
    sizes=USUAL_SIZES,
    variants=[
        Variant("base", reference=True),
        source("Canny 50, 100", "canny", low=50, high=100),
        source("Canny 100, 200", "canny", low=100, high=200),
        source("Sobel", "sobel"),
        source("Laplacian", "laplacian"),
        Variant("in the graph", IN_GRAPH, edits={"EdgeExtract": None}),
        Variant("none", {"model.backbone.edge_weight": 0.0}),
    ],
)
