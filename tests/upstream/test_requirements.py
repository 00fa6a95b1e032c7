from __future__ import annotations

import runpy
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import setuptools

SETUP = Path(__file__).parents[2] / "setup.py"


def requirements(
    monkeypatch: pytest.MonkeyPatch, site_packages: Path, installed: str | None
) -> list[str]:
    """Return what ``setup.py`` requires where ``installed`` is in the environment."""
    if installed:
        info = site_packages / f"{installed.replace('-', '_')}-2.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {installed}\nVersion: 2.1.0\n"
        )
    passed: dict[str, Any] = {}
    monkeypatch.setattr(setuptools, "setup", lambda **kwargs: passed.update(kwargs))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(site_packages))
    runpy.run_path(str(SETUP))
    return passed["install_requires"]


@pytest.mark.parametrize(
    ("installed", "edition"),
    [(None, "mmcv-lite"), ("mmcv-lite", "mmcv-lite"), ("mmcv", "mmcv")],
)
def test_the_edition_of_mmcv_that_is_there_is_kept(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    installed: str | None,
    edition: str,
) -> None:
    required = requirements(monkeypatch, tmp_path, installed)
    mmcv = [line for line in required if line.startswith("mmcv")]
    assert mmcv == [f"{edition}>=2.0.0rc4,<2.2.0"]


def test_an_installed_torch_is_never_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (torch,) = [
        line
        for line in requirements(monkeypatch, tmp_path, None)
        if line.startswith("torch")
    ]
    assert torch.startswith("torch>=") and not {"=", "<"} & set(torch[7:])
