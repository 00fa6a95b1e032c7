"""A few hundred mutated files; ``fuzz.py`` does thousands."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz import TARGETS, Target, fuzz
from mmengine.registry import init_default_scope


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", TARGETS, ids=lambda kind: kind.name)
def test_every_mutated_file_is_read_or_named(
    kind: type[Target], tmp_path: Path
) -> None:
    init_default_scope("mmaction")
    target = kind(tmp_path)
    assert target.fault(target.sound) is None
    found = fuzz(target, cases=60, seed=0)
    assert not found, found[0]
