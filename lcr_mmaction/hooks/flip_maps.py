"""Which classes trade places in a mirror, and whether a pipeline knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# Words that trade places in a picture flipped this way.
_SIDES = {
    "horizontal": (("left", "right"), ("clockwise", "counterclockwise")),
    "vertical": (("up", "down"), ("top", "bottom"), ("clockwise", "counterclockwise")),
}
_SAME = {
    "counter-clockwise": "counterclockwise",
    "anti-clockwise": "counterclockwise",
    "anticlockwise": "counterclockwise",
}

# A side at the beginning of a word: left_hand, leftwards, but not upright.
_SIDE = re.compile("(?<![a-z])(left|right|(counter|anti)?-?clockwise)")
# A name that tells nothing.
_NUMBERED = re.compile("(class|action|activity|gesture|label|[a-z])?[ _-]*[0-9]+")


def mirrored_name(name: str, direction: str = "horizontal") -> str:
    """The name of a class in a flipped picture: left for right, and so on.

    Args:
        name: An English name, in lower case.
        direction: ``'horizontal'`` or ``'vertical'``.
    """
    name = _plain(name)
    other: dict[str, str] = {}
    for one, two in _SIDES[direction]:
        other |= {one: two, two: one}
    # Longer words first, as one contains another.
    words = "|".join(sorted(other, key=len, reverse=True))
    return re.sub(words, lambda found: other[found[0]], name)


def mirror_table(names: Sequence[str], direction: str = "horizontal") -> dict[int, int]:
    """The classes that trade places in a flipped picture, by their names.

    Args:
        names: Of the classes, in English.
        direction: ``'horizontal'`` or ``'vertical'``.

    Returns:
        What ``Flip`` takes as ``flip_label_map``.
    """
    plain = [_plain(name.lower()) for name in names]
    number = {name: index for index, name in enumerate(plain)}
    table = {
        index: number[mirrored_name(name, direction)]
        for index, name in enumerate(plain)
        if mirrored_name(name, direction) in number
    }
    return {one: two for one, two in table.items() if one != two}


def safe_flip(names: Sequence[str], flip_ratio: float = 0.5) -> dict[str, Any] | None:
    """Options of ``Flip`` for classes of which no more than the names is known.

    Args:
        names: Of the classes, in English.
        flip_ratio: Share of the clips to mirror.

    Returns:
        None where a mirrored clip may show a class that is not there, or another one
        without saying so: a name has a side and no other class is its mirror image
        ("turn left" without "turn right"), or is a mere number ("action 7").
    """
    table = mirror_table(names)
    for index, name in enumerate(name.lower() for name in names):
        one_sided = _SIDE.search(name) and index not in table
        if one_sided or _NUMBERED.fullmatch(name):
            return None
    flip: dict[str, Any] = dict(flip_ratio=flip_ratio)
    return flip | dict(flip_label_map=table) if table else flip


def _plain(name: str) -> str:
    for word, same in _SAME.items():
        name = name.replace(word, same)
    return name


def flip_fault(
    transforms: Sequence[Any],
    num_classes: int,
    names: Sequence[str] | None,
    many_labels: bool = False,
    check_names: bool = True,
) -> str | None:
    """What is wrong with how a pipeline maps the labels of flipped clips.

    Args:
        transforms: The pipeline's.
        num_classes: Of the model.
        names: Of the classes, None if unknown.
        many_labels: Whether a clip may have several.
        check_names: Whether to compare names; off where they are not English.

    Returns:
        One sentence or two, None if nothing is.
    """
    steps = list(_all_steps(transforms))
    flips = [
        step
        for step in steps
        if getattr(step, "flip_ratio", 0) and hasattr(step, "direction")
    ]
    for step in steps:
        table = getattr(step, "flip_label_map", None)
        if not table:
            continue
        where = f"flip_label_map of {type(step).__name__}"
        if many_labels:
            return f"{where}: labels of clips with several cannot be mapped."
        if fault := _table_fault(table, num_classes):
            return f"{where}: {fault}"
    if not flips or names is None or not check_names:
        return None
    tables = [getattr(step, "flip_label_map", None) or {} for step in steps]
    table = {key: value for part in tables for key, value in part.items()}
    return _names_fault(table, names, flips[0].direction)


def _all_steps(transforms: Sequence[Any]) -> Iterator[Any]:
    for step in transforms:
        yield step
        inner = getattr(step, "transforms", None)
        if inner is not None:  # a wrapper: RandomApply, RandomChoice, Compose
            inner = inner if isinstance(inner, (list, tuple)) else [inner]
            yield from _all_steps(inner)


def _table_fault(table: Mapping, num_classes: int) -> str | None:
    for one, two in table.items():
        for label in (one, two):
            if isinstance(label, bool) or not isinstance(label, int):
                return (
                    f"{label!r} is no class number, but {type(label).__name__}, "
                    "which no label equals."
                )
            if not 0 <= label < num_classes:
                return (
                    f"class {label} is none of the model's, 0 to {num_classes - 1}. "
                    "Was the map made for other classes?"
                )
        if table.get(two, two) != one:
            return (
                f"class {one} becomes {two}, but {two} becomes "
                f"{table.get(two, two)}; a mirror exchanges two classes or leaves "
                "one alone."
            )
    return None


def _names_fault(
    table: Mapping[int, int], names: Sequence[str], direction: str
) -> str | None:
    right = mirror_table(names, direction)
    for index, name in enumerate(names):
        given, expected = table.get(index, index), right.get(index, index)
        if given == expected:
            continue
        if expected != index:
            return (
                f"flipped clips of class {index} ({name!r}) would count as "
                f"{names[given]!r}, but show {names[expected]!r}. Give Flip "
                f"flip_label_map={right}."
            )
        return (
            f"flipped clips of class {index} ({name!r}) would count as class {given} "
            f"({names[given]!r}), whose name is not that of its mirror image. Was "
            f"the map made for other classes? By the names it is {right}."
        )
    return None
