"""Checkpoints: a hostile one runs nothing, a run's own ones still resume."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader, Runner

from lcr_mmaction.upstream import allow_list, checkpoints
from lcr_mmaction.upstream.checkpoints import UNSAFE_VARIABLE, CheckpointError

OLD_TORCH = "2.5.1"


@pytest.fixture(autouse=True)
def no_choice_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(UNSAFE_VARIABLE, raising=False)


@pytest.fixture(params=["this", "before 2.6"])
def any_torch(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Run a test on both ways of loading: PyTorch's own and ours for older ones."""
    if request.param != "this":
        monkeypatch.setattr(torch, "__version__", OLD_TORCH)
    yield


class Calls:
    """Pickles as a call of ``function``."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple[Any, tuple]:
        return self.call


def load(path: Path) -> Any:
    return CheckpointLoader.load_checkpoint(str(path), map_location="cpu")


def save(path: Path, payload: Any) -> Path:
    torch.save({"state_dict": {"w": torch.ones(1)}, "meta": payload}, path)
    return path


@pytest.mark.usefixtures("any_torch")
@pytest.mark.parametrize("function", [os.mkdir, os.system, eval, exec])
def test_a_hostile_checkpoint_runs_nothing(tmp_path: Path, function: Any) -> None:
    mark = tmp_path / "mark"
    argument = {
        os.mkdir: str(mark),
        os.system: f"mkdir {mark}",
    }.get(function, f"__import__('os').mkdir({str(mark)!r})")
    path = save(tmp_path / "hostile.pth", Calls(function, argument))
    with pytest.raises(
        CheckpointError, match=f"Refused.*hostile.pth.*{UNSAFE_VARIABLE}"
    ):
        load(path)
    assert not mark.exists()


@pytest.mark.usefixtures("any_torch")
@pytest.mark.parametrize(
    "payload",
    [
        Calls(getattr, HistoryBuffer, "__init__"),
        Calls(getattr, "text", "format"),
        np.array([{"a": 1}], dtype=object),
        np.zeros(2, dtype=[("x", "i4")]),
    ],
    ids=["attribute", "method", "objects", "records"],
)
def test_what_a_training_log_does_not_need_is_refused(
    tmp_path: Path, payload: Any
) -> None:
    with pytest.raises(CheckpointError, match="Refused"):
        load(save(tmp_path / "odd.pth", payload))


@pytest.mark.usefixtures("any_torch")
def test_training_logs_survive_a_round_trip(tmp_path: Path) -> None:
    history = HistoryBuffer([1.0, 3.0], [1, 1])
    payload = {"log": history, "best": np.float32(0.5), "ok": np.bool_(True)}
    loaded = load(save(tmp_path / "log.pth", payload))["meta"]
    assert loaded["log"].mean() == 2.0
    assert loaded["best"] == np.float32(0.5) and loaded["ok"]
    np.testing.assert_array_equal(loaded["log"].data[0], [1.0, 3.0])


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_arrays_of_numpy_1_and_2_are_allowed(module: str) -> None:
    allowed = allow_list.allowed_globals()
    assert allowed[f"{module}._reconstruct"] is np.zeros(1).__reduce__()[0]
    assert allowed[f"{module}.scalar"] is np.float64(1).__reduce__()[0]


@pytest.mark.usefixtures("any_torch")
def test_the_user_can_choose_to_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "own.pth", Calls(len, "abc"))
    monkeypatch.setenv(UNSAFE_VARIABLE, "1")
    with pytest.warns(UserWarning, match="without protection"):
        assert load(path)["meta"] == 3


@pytest.mark.usefixtures("any_torch")
@pytest.mark.parametrize("content", [b"", b"not a checkpoint", bytes(range(256)) * 9])
def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="Cannot read.*broken.pth"):
        load(path)


@pytest.mark.usefixtures("any_torch")
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_checkpoint_is_named(tmp_path: Path, share: float) -> None:
    path = tmp_path / "cut.pth"
    torch.save({"state_dict": {"w": torch.rand(10_000)}}, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CheckpointError, match="Cannot read.*cut.pth.*truncated"):
        load(path)


def test_a_missing_checkpoint_stays_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent.pth"):
        load(tmp_path / "absent.pth")


@pytest.mark.usefixtures("any_torch")
def test_a_hostile_download_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # PyTorch's hub explicitly asks for an unsafe load; its cache serves the file.
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    mark = tmp_path / "mark"
    save(cache / "hostile.pth", Calls(os.mkdir, str(mark)))
    with pytest.raises(CheckpointError, match="Refused"):
        CheckpointLoader.load_checkpoint("http://localhost/hostile.pth")
    assert not mark.exists()


def test_loads_of_another_project_are_left_as_they_are(tmp_path: Path) -> None:
    """Projects that share the process keep MMEngine's own loading."""
    path = save(tmp_path / "theirs.pth", np.array([{"a": 1}], dtype=object))
    with DefaultScope.overwrite_default_scope("mmdet"):
        with pytest.raises(pickle.UnpicklingError):  # PyTorch's own word
            load(path)
        with checkpoints.unsafe_torch_load():
            assert load(path)["meta"][0] == {"a": 1}
    with pytest.raises(CheckpointError):
        load(path)


@pytest.mark.usefixtures("any_torch")
def test_loading_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(checkpoints._FORCE_UNSAFE, "1")
    monkeypatch.delenv(checkpoints._FORCE_SAFE, raising=False)
    torch_load, allowed = torch.load, set(torch.serialization.get_safe_globals())
    with pytest.raises(CheckpointError):
        load(save(tmp_path / "hostile.pth", Calls(eval, "1")))
    assert torch.load is torch_load
    assert set(torch.serialization.get_safe_globals()) == allowed
    assert os.environ[checkpoints._FORCE_UNSAFE] == "1"
    assert checkpoints._FORCE_SAFE not in os.environ


class Line(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def forward(self, inputs: torch.Tensor, mode: str = "loss") -> dict:
        return {"loss": self.layer(inputs).square().mean()}


def train(work_dir: Path, epochs: int, resume: bool) -> Runner:
    points = [{"inputs": torch.tensor([float(i), 1.0])} for i in range(4)]
    runner = Runner(
        Line(),
        str(work_dir),
        train_dataloader=dict(
            batch_size=2,
            dataset=points,
            sampler=dict(type="DefaultSampler", shuffle=True),
            collate_fn=dict(type="default_collate"),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(
            optimizer=dict(type="AdamW", lr=0.1, weight_decay=0.01),
            clip_grad=dict(max_norm=1),
        ),
        param_scheduler=dict(type="CosineAnnealingLR", T_max=4, end=4),
        custom_hooks=[dict(type="EMAHook")],
        default_hooks=dict(logger=dict(type="LoggerHook", interval=1)),
        default_scope="mmengine",
        experiment_name=f"{work_dir.name}_{epochs}_{resume}",
        randomness=dict(seed=0),
        resume=resume,
        log_level="ERROR",
    )
    runner.train()
    return runner


@pytest.mark.usefixtures("any_torch")
def test_a_run_resumes_with_optimizer_schedule_and_log(tmp_path: Path) -> None:
    train(tmp_path, epochs=1, resume=False)
    runner = train(tmp_path, epochs=2, resume=True)
    assert runner.iter == 4
    log = runner.message_hub.get_scalar("train/loss")
    assert len(log.data[0]) == 4 and np.isfinite(log.mean())
    (state,) = {int(s["step"]) for s in runner.optim_wrapper.optimizer.state.values()}
    assert state == 4
    assert runner.param_schedulers[0].last_step == 2


def test_resuming_from_a_truncated_last_checkpoint_is_refused(tmp_path: Path) -> None:
    train(tmp_path, epochs=1, resume=False)
    (last,) = tmp_path.glob("epoch_*.pth")
    last.write_bytes(last.read_bytes()[:2000])
    with pytest.raises(CheckpointError, match="last_checkpoint"):
        train(tmp_path, epochs=2, resume=True)
