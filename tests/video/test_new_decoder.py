"""A decoder of one's own, as CONTRIBUTING.md shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lcr_runtime.video import DECODERS, open_video

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"


def test_the_pages_decoder_reads(tmp_path):
    section = PAGE.read_text(encoding="utf-8").split("## Add a decoder")[1]
    code = section.split("```python")[1].split("```")[0]
    before = dict(DECODERS)
    frames = np.arange(4 * 6 * 8 * 3, dtype=np.uint8).reshape(4, 6, 8, 3)
    np.save(tmp_path / "clip.npy", frames)
    try:
        exec(code, {"__name__": "page"})
        with open_video(tmp_path / "clip.npy", "npy") as reader:
            assert len(reader) == 4
            read = list(reader)
    finally:
        DECODERS.clear()
        DECODERS.update(before)
    np.testing.assert_array_equal([frame.image for frame in read], frames)
    np.testing.assert_allclose([frame.time for frame in read], [0, 0.04, 0.08, 0.12])
