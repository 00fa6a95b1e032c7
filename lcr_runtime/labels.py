"""Names of the classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from .text import read_label_map


def find_labels(
    config: Mapping[str, Any], labels: str | PathLike | Sequence[str] | None = None
) -> list[str]:
    """Names of a config's classes.

    Args:
        config: With ``model.cls_head.num_classes``.
        labels: Names, or a file with one a line; None takes those of
            ``config.streaming.labels``, or of the test data set's
            ``metainfo.classes``, or else the indices.

    Raises:
        OSError: The file is missing or out of reach.
        ValueError: There are not as many names as classes, or the file is not as
            :func:`~.text.read_label_map` takes it.
    """
    if labels is None:
        labels = (config.get("streaming") or {}).get("labels")
    if labels is None:
        dataset = (config.get("test_dataloader") or {}).get("dataset") or {}
        labels = (dataset.get("metainfo") or {}).get("classes")
    num_classes = config["model"]["cls_head"]["num_classes"]
    if labels is None:
        return [str(i) for i in range(num_classes)]
    where = ""
    if isinstance(labels, (str, PathLike)):
        where = f" in {labels}"
        labels = read_label_map(Path(labels))
    if len(labels) != num_classes:
        raise ValueError(
            f"{len(labels)} labels{where} for the {num_classes} classes of the model"
        )
    return list(labels)
