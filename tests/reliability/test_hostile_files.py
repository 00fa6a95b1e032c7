"""A hostile checkpoint is offered to every door; nothing that it asks for happens."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmaction.apis import MMAction2Inferencer, init_recognizer
from mmaction.apis.inferencers import ActionRecogInferencer
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from resumable_project import make_project

from lcr_mmaction.models.state import load_state, save_state
from lcr_mmaction.streaming import StreamingRecognizer
from lcr_mmaction.upstream.checkpoints import CheckpointError
from lcr_mmaction.upstream.doors import run_stock_script
from lcr_mmaction.upstream.plain_config import is_plain
from lcr_runtime.commands.main import main as lcr

TOOLS = Path(__file__).parents[2] / "tools"


class Calls:
    """Pickles as a call of ``os.mkdir``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple]:
        return os.mkdir, (str(self.path),)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    file = make_project(tmp_path_factory.mktemp("hostile") / "project")
    config = Config.fromfile(file, import_custom_modules=False)
    config.custom_imports = None
    config.custom_hooks = [h for h in config.custom_hooks if h.type != "Killer"]
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.num_workers, loader.persistent_workers = 0, False
    config.test_dataloader = config.val_dataloader
    config.test_evaluator, config.test_cfg = config.val_evaluator, dict(type="TestLoop")
    config.test_pipeline = config.val_pipeline
    config.log_level = "ERROR"
    return config


@pytest.fixture(scope="module")
def sound(config: Config) -> dict[str, Any]:
    """A checkpoint without harm."""
    init_default_scope("mmaction")
    config = config.copy()
    config.work_dir = str(Path(config.root) / "sound")
    config.train_cfg.max_epochs = 1
    config.train_cfg.val_interval = 9
    config.experiment_name = "sound"
    runner = Runner.from_cfg(config)
    runner.train()
    last = Path(config.work_dir, "last_checkpoint").read_text()
    return torch.load(last, weights_only=False)


def run(config: Config, folder: Path, what: str, **changes: Any) -> None:
    config = config.copy()
    config.work_dir = str(folder / "work")
    config.experiment_name = f"{folder.name}_{what}"
    config.merge_from_dict(changes)
    getattr(Runner.from_cfg(config), what)()


def pretrained(config: Config, path: Path, folder: Path) -> None:
    init = dict(type="Pretrained", checkpoint=str(path))
    run(config, folder, "train", **{"model.backbone.init_cfg": init})


def inferencer(config: Config, path: Path, folder: Path) -> None:
    config.dump(folder / "config.py")
    MMAction2Inferencer(rec=str(folder / "config.py"), rec_weights=str(path))


def publish(config: Config, path: Path, folder: Path) -> None:
    sys.argv = ["publish_model.py", str(path), str(folder / "out.pth")]
    run_stock_script("deployment/publish_model.py")


def tool(name: str, *arguments: object) -> None:
    spec = importlib.util.spec_from_file_location("tool", TOOLS / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.argv = [name, *map(str, arguments)]
    module.main()


def export(config: Config, path: Path, folder: Path) -> None:
    config.dump(folder / "config.py")
    out = folder / "model.onnx"
    lcr(["export", str(folder / "config.py"), str(path), str(out)])


DOORS: dict[str, Callable[[Config, Path, Path], Any]] = {
    "test": lambda c, path, d: run(c, d, "test", load_from=str(path)),
    "fine-tune": lambda c, path, d: run(c, d, "train", load_from=str(path)),
    "resume": lambda c, path, d: run(c, d, "train", load_from=str(path), resume=True),
    "init_cfg": pretrained,
    "init_recognizer": lambda c, path, d: init_recognizer(c, str(path), "cpu"),
    "inferencer": inferencer,
    "inferencer without a config": lambda c, path, d: ActionRecogInferencer(
        None, weights=str(path)
    ),
    "stream": lambda c, path, d: StreamingRecognizer(c, str(path)),
    "publish": publish,
    "ship": lambda c, path, d: tool("deployment/ship_model.py", path, d / "out.pth"),
    "export": export,
}


@pytest.mark.parametrize("door", DOORS)
def test_no_door_runs_a_checkpoints_code(
    door: str,
    config: Config,
    sound: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    init_default_scope("mmaction")
    mark, path = tmp_path / "mark", tmp_path / "hostile.pth"
    torch.save(sound | dict(extra=Calls(mark)), path)
    with pytest.raises((CheckpointError, SystemExit), match="Refused.*hostile.pth"):
        DOORS[door](config, path, tmp_path)
    assert not mark.exists()


@pytest.mark.filterwarnings("ignore:.*carries a config")
@pytest.mark.parametrize("door", ["resume", "inferencer without a config", "test"])
def test_no_door_runs_a_config_inside_a_checkpoint(
    door: str, config: Config, sound: dict[str, Any], tmp_path: Path
) -> None:
    init_default_scope("mmaction")
    mark, path = tmp_path / "mark", tmp_path / "hostile.pth"
    for text in (
        f"import os\nos.mkdir({str(mark)!r})\nmodel = dict(type='Recognizer3D')",
        f"model = dict(type='os.mkdir', path={str(mark)!r})",
    ):
        hub = dict(sound["message_hub"])
        hub["runtime_info"] = hub["runtime_info"] | dict(cfg=text)
        meta = sound["meta"] | dict(config=text, cfg=text)
        torch.save(sound | dict(meta=meta, message_hub=hub), path)
        refused = (
            pytest.raises(CheckpointError, match="config inside .*hostile.pth")
            if "inferencer" in door
            else contextlib.nullcontext()
        )
        with refused:
            DOORS[door](config, path, tmp_path)
        assert not mark.exists()


def test_configs_that_are_data(config: Config) -> None:
    assert is_plain(config.pretty_text)
    for text in (
        "a = open('x')",
        "import os",
        "a = [dict(type='os.system')]",
        "_base_ = ['../x.py']",
        "custom_imports = dict(imports=['antigravity'])",
        "a = dict(**b)",
        "a = {x: 1 for x in y}",
        "a.b = 1",
        "a = f'{b}'",
        "(" * 5000,
        "a = 1\0",
        7,
    ):
        assert not is_plain(text), text


def test_a_saved_state_runs_nothing(config: Config, tmp_path: Path) -> None:
    backbone = init_recognizer(config, device="cpu").backbone
    like = backbone.init_state(1, (16, 16))
    path, mark = tmp_path / "state.pt", tmp_path / "mark"
    save_state(like, path)
    torch.save({"maps.0": Calls(mark)}, path)
    with pytest.raises(ValueError, match="state.pt is no state"):
        load_state(path, like)
    assert not mark.exists()


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_weights_with_a_flipped_bit_are_not_loaded(
    config: Config, sound: dict[str, Any], tmp_path: Path, share: float
) -> None:
    path = tmp_path / "flipped.pth"
    torch.save({"state_dict": {"w": torch.zeros(100_000)}}, path)
    content = bytearray(path.read_bytes())
    content[int(len(content) * share)] ^= 1
    path.write_bytes(content)
    loaded = torch.load(path, weights_only=True)["state_dict"]["w"]
    # Bits, since the number may be denormal, which a thread may take for zero.
    assert loaded.view(torch.int32).any(), "PyTorch itself finds it: the check can go"
    with pytest.raises(CheckpointError, match="flipped.pth.*sum of its part"):
        init_recognizer(config, str(path), "cpu")
