"""Checkpoints against what a config alone says: how edges are found, what classes are.

What the model itself knows is compared whenever a state dict is loaded
(:mod:`.models.meaning`); this is for the rest, where a config is at hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from mmaction.apis import init_recognizer
from mmengine import Config
from mmengine.runner import load_checkpoint
from torch import nn

from .models.meaning import refuse_other

EDGES = "edges"
IN_GRAPH = "in the graph"


def find_edges(config: Mapping, *loaders: str) -> str | None:
    """How a config finds the edges.

    Args:
        config: The config.
        *loaders: Names of data loaders: the first one that is there counts. Without
            any, the whole config.

    Returns:
        The method and options of ``EdgeExtract``; :data:`IN_GRAPH` without it; None if
        there is no pipeline, or several that differ.
    """
    part: Any = next((config[name] for name in loaders if config.get(name)), config)
    nodes = list(_dicts(part))
    found = {_describe(**node) for node in nodes if node.get("type") == "EdgeExtract"}
    if not found and any(node.get("type") == "FormatShape" for node in nodes):
        return IN_GRAPH
    return found.pop() if len(found) == 1 else None


def find_classes(config: Mapping, *loaders: str) -> list[str] | None:
    """Names of the classes of the first data loader that is there and has some."""
    for name in loaders:
        for node in _dicts(config.get(name) or {}):
            classes = (node.get("metainfo") or {}).get("classes")
            if classes:
                return list(classes)
    return None


def refuse_other_data(checkpoint: Mapping, edges: str | None, classes: Any) -> None:
    """Compare the data that a checkpoint was trained for with a config's.

    Args:
        checkpoint: As MMEngine saves it; what it does not say is not compared.
        edges: From :func:`find_edges`; None is not compared.
        classes: From :func:`find_classes`; None is not compared.

    Raises:
        OtherMeaningError: They differ, and the user does not insist.
    """
    meta = checkpoint.get("meta") or {}
    names = (meta.get("dataset_meta") or {}).get("classes")
    saved = {EDGES: meta.get(EDGES), "classes": names and list(names)}
    own = {EDGES: edges, "classes": classes and list(classes)}
    both = [key for key in saved if saved[key] and own[key]]
    refuse_other({key: saved[key] for key in both}, own, "")


def load_recognizer(
    config: Config, checkpoint: str | Path | None, device: str | torch.device
) -> nn.Module:
    """MMAction2's ``init_recognizer``, with edges and classes compared as well.

    Args:
        config: The config.
        checkpoint: Weights; None leaves them random.
        device: Where to compute.

    Raises:
        OtherMeaningError: The checkpoint was trained for something else.
    """
    model = init_recognizer(config, None, device)
    if checkpoint is not None:
        saved = load_checkpoint(model, str(checkpoint), map_location="cpu")
        loaders = ("test_dataloader", "val_dataloader", "train_dataloader")
        edges, classes = find_edges(config, *loaders), find_classes(config, *loaders)
        refuse_other_data(saved, edges, classes)
    return model


def _describe(type: str, method: str = "canny_otsu", **options: float) -> str:
    return " ".join([method, *(f"{k}={options[k]}" for k in sorted(options))])


def _dicts(node: Any) -> Iterator[Mapping]:
    """All dicts of nested dicts and lists."""
    if isinstance(node, Mapping):
        yield node
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from _dicts(child)
