"""What every transform of this package checks about the frames it is given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def decoded_frames(results: dict, transform: str) -> Sequence[np.ndarray]:
    """Return the decoded frames in ``results['imgs']``.

    Args:
        results: The pipeline's dict.
        transform: Name of the asking transform, for the error messages.

    Returns:
        A non-empty sequence of ``H x W x C`` frames.

    Raises:
        KeyError: No decoder came before.
        ValueError: There is no frame, or ``FormatShape`` came before.
    """
    if "imgs" not in results:
        raise KeyError(
            f"{transform} found no results['imgs']: put it after the decoder "
            "(VideoDecode, RawFrameDecode, ArrayDecode, DecordDecode...)."
        )
    frames = results["imgs"]
    if "input_shape" in results:
        shape = "x".join(str(n) for n in results["input_shape"])
        raise ValueError(
            f"{transform} needs decoded H x W x C frames but came after "
            f"FormatShape, which already made a {shape} array of them: move "
            f"{transform} before FormatShape in the pipeline."
        )
    if len(frames) == 0:
        raise ValueError(
            f"{transform} got an empty list of frames"
            f"{of_file(results)}: the decoder returned nothing."
        )
    return frames


def of_file(results: dict) -> str:
    """Return ``' of <path>'`` if the pipeline knows which file it reads."""
    path = results.get("filename") or results.get("frame_dir")
    return f" of {path}" if path else ""
