"""Feed mutated files to every reader; by the thousand, or a few in a test.

Usage::

    python tests/reliability/fuzz.py --cases 10000 --seed 0
    python tests/reliability/fuzz.py --only checkpoint --cases 1000 --keep found

Each case is one sound file, changed by one to three random mutations. A reader must
either give a result that the file's content stands for, or raise an error of its own
that names the file. Anything else is printed, kept with ``--keep``, and makes the exit
status 1. Case N of a seed is the same in any run.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import random
import re
import sys
import tempfile
import traceback
import warnings
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch
from mmaction.registry import DATASETS
from mmengine.logging import HistoryBuffer
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader

from lcr_mmaction.config_files import ConfigFileError, read_config
from lcr_mmaction.datasets import DamagedClipError, ListFileError, MissingClipsError
from lcr_mmaction.datasets.annotations import read_list
from lcr_mmaction.models import LCRBackbone
from lcr_mmaction.models.state import load_state, save_state, state_tensors
from lcr_mmaction.upstream.checkpoints import CheckpointError
from lcr_runtime.engines import installed_engines, open_engine
from lcr_runtime.shipped import shipped_file
from lcr_runtime.text import TextFileError, is_one_line, read_label_map
from lcr_runtime.video import VideoError, open_video

JESTER = Path(__file__).parents[2] / "tools" / "data" / "jester" / "build_lists.py"


def mutate(content: bytes, rng: random.Random) -> bytes:
    """Change a file's content in one to three places."""
    for _ in range(rng.randint(1, 3)):
        content = rng.choice(MUTATIONS)(content, rng)
    return content


def _cut(content: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(content) + 1)
    return start, min(len(content), start + rng.choice([1, 2, 4, 16, 64, 512]))


def _flip(content: bytes, rng: random.Random) -> bytes:
    if not content:
        return content
    changed = bytearray(content)
    changed[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwrite(content: bytes, rng: random.Random) -> bytes:
    start, end = _cut(content, rng)
    return content[:start] + rng.randbytes(end - start) + content[end:]


def _zero(content: bytes, rng: random.Random) -> bytes:
    start, end = _cut(content, rng)
    return content[:start] + bytes(end - start) + content[end:]


def _delete(content: bytes, rng: random.Random) -> bytes:
    start, end = _cut(content, rng)
    return content[:start] + content[end:]


def _repeat(content: bytes, rng: random.Random) -> bytes:
    start, end = _cut(content, rng)
    return content[:end] + content[start:end] * rng.choice([1, 3]) + content[end:]


def _insert(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content) + 1)
    token = rng.choice(TOKENS)
    return content[:place] + token + content[place:]


def _truncate(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _recode(content: bytes, rng: random.Random) -> bytes:
    try:
        return content.decode().encode(rng.choice(["utf-16", "utf-16-le", "utf-8-sig"]))
    except UnicodeDecodeError:
        return content


MUTATIONS = (
    _flip,
    _overwrite,
    _zero,
    _delete,
    _repeat,
    _insert,
    _truncate,
    _recode,
)
TOKENS = (
    b"\n",
    b"\r\n",
    b"\r",
    b" ",
    b"\t",
    b",",
    b";",
    b"\x00",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"-1",
    b"99999999999999999999",
    b"1e5",
    "\u2028".encode(),
    "²".encode(),
    b"../",
    b"%s{}",
    b"nan",
)


class Wrong(Exception):
    """A result that the file does not stand for."""


class Target(ABC):
    """A reader and a sound file for it."""

    name: str
    file: str
    errors: tuple[type[BaseException], ...]

    def __init__(self, folder: Path) -> None:
        self.path = folder / self.file
        self.prepare(folder)
        self.sound = self.path.read_bytes()

    @abstractmethod
    def prepare(self, folder: Path) -> None:
        """Write the sound file, and what it needs."""

    @abstractmethod
    def read(self) -> None:
        """Read the file.

        Raises:
            Wrong: The result is not what the file holds.
        """

    def fault(self, content: bytes) -> str | None:
        """Read such a file; return what is wrong with how that went."""
        self.path.write_bytes(content)
        try:
            self.read()
        except self.errors as error:
            named = self.path.name in str(error) or self.path.parent.name in str(error)
            return None if named else f"no file in: {error}"
        except Wrong as error:
            return str(error)
        except BaseException:
            return traceback.format_exc(limit=-4)
        return None


class ListFile(Target):
    """A list of clips."""

    name, file, errors = "list", "clips.txt", (ListFileError,)
    many_labels = False

    def prepare(self, folder: Path) -> None:
        """Write a list."""
        lines = [f"wäve/clip {i}.mp4 {i % 12} {i % 3}" for i in range(1, 30)]
        self.path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def read(self) -> None:
        """Every row says what its line says."""
        rows = read_list(str(self.path), ("total_frames", "label"))
        for name, *numbers in rows:
            if not name.strip() or not is_one_line(name) or min(numbers) < 0:
                raise Wrong(f"row {name!r} {numbers}")
        text = _decoded(self.path.read_bytes())
        words = re.sub(r"(?<=\s)[+0]*(\d)", r"\1", text).split()
        given = " ".join(" ".join(map(str, row)) for row in rows)
        if re.sub(r"(?<=\s)[+0]*(\d)", r"\1", given).split() != words:
            raise Wrong("the rows are not the lines")


class LabelMap(Target):
    """A label map."""

    name, file, errors = "labels", "label_map.txt", (TextFileError,)

    def prepare(self, folder: Path) -> None:
        """Write a label map."""
        self.path.write_text("nod\nshake head\nwäve\nthumb up\n", encoding="utf-8")

    def read(self) -> None:
        """Every line is a class."""
        names = read_label_map(self.path)
        lines = re.split(r"\r\n|\r|\n", _decoded(self.path.read_bytes()).strip())
        if names != [line.strip() for line in lines] or len(set(names)) != len(names):
            raise Wrong(f"the names {names} are not the lines")


class JesterCsv(Target):
    """One of Jester's own CSV files."""

    name, file, errors = "csv", "jester-v1-train.csv", (SystemExit,)

    def prepare(self, folder: Path) -> None:
        """Write a CSV."""
        spec = importlib.util.spec_from_file_location("jester_lists", JESTER)
        assert spec and spec.loader
        self.tool = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.tool)
        self.labels = {"Swiping Left": 0, "Thumb Up": 20}
        lines = [f"{i};{('Swiping Left', 'Thumb Up')[i % 2]}" for i in range(30)]
        self.path.write_text("\n".join(lines) + "\n")

    def read(self) -> None:
        """Every line is a clip or a fault that names file and line."""
        faults = self.tool.Faults()
        clips = self.tool.read_split(self.path, self.labels, faults)
        noted = [line for lines in faults.by_kind.values() for line in lines]
        if not all(self.path.name in line for line in noted):
            raise Wrong(f"faults without the file: {noted}")
        lines = re.split(r"\r\n|\r|\n", _decoded(self.path.read_bytes()))
        if len(clips) + len(noted) != len(lines) - (not lines[-1]):
            raise Wrong("a line is neither a clip nor a fault")


class Jpeg(Target):
    """One frame of a clip.

    JPEGs hold no sums: a changed byte within a picture's data can give another picture.
    """

    name, file = "jpeg", "clip/00002.jpg"
    errors = (DamagedClipError, MissingClipsError)

    def prepare(self, folder: Path) -> None:
        """Write frames and a dataset of them."""
        self.path.parent.mkdir()
        rng = np.random.default_rng(0)
        for index in range(1, 4):
            noise = rng.integers(0, 255, (6, 8, 3), np.uint8)
            picture = cv2.resize(noise, (48, 36), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(self.path.with_name(f"{index:05}.jpg")), picture)
        (folder / "jpeg.txt").write_text("clip 3 0\n")
        self.dataset = DATASETS.build(
            dict(
                type="CheckedRawframeDataset",
                ann_file=str(folder / "jpeg.txt"),
                data_prefix=dict(img=str(folder)),
                filename_tmpl="{:05}.jpg",
                test_mode=True,
                pipeline=[
                    dict(type="SampleFrames", clip_len=3, test_mode=True),
                    dict(type="RawFrameDecode"),
                    dict(type="Resize", scale=(16, 16), keep_ratio=False),
                    dict(type="FormatShape", input_format="NCTHW"),
                ],
            )
        )

    def read(self) -> None:
        """Three frames of one size."""
        imgs = self.dataset[0]["imgs"]
        if imgs.shape != (1, 3, 3, 16, 16):
            raise Wrong(f"frames of shape {imgs.shape}")


class Checkpoint(Target):
    """A checkpoint of a run."""

    name, file, errors = "checkpoint", "epoch_1.pth", (CheckpointError,)

    def prepare(self, folder: Path) -> None:
        """Write a checkpoint."""
        hub = {"log_scalars": {"loss": HistoryBuffer([1.0, 2.0], [1, 1])}}
        weights = {"w": torch.arange(500.0), "b": torch.ones(3)}
        meta = {"epoch": 1, "iter": 5}
        content = dict(state_dict=weights, message_hub=hub, meta=meta)
        torch.save(content, self.path)
        self.expected = content

    def read(self) -> None:
        """The same content, or none."""
        found = CheckpointLoader.load_checkpoint(str(self.path), map_location="cpu")
        for name, tensor in self.expected["state_dict"].items():
            if not torch.equal(found["state_dict"][name], tensor):
                raise Wrong(f"other weights {name}")
        if found["meta"] != self.expected["meta"]:
            raise Wrong(f"other meta {found['meta']}")


class OldCheckpoint(Checkpoint):
    """A checkpoint in PyTorch's format before 1.6, which keeps no sums."""

    name, file = "old checkpoint", "epoch_0.pth"

    def prepare(self, folder: Path) -> None:
        """Write a checkpoint."""
        super().prepare(folder)
        torch.save(self.expected, self.path, _use_new_zipfile_serialization=False)

    def read(self) -> None:
        """Weights by name, or an error."""
        found = CheckpointLoader.load_checkpoint(str(self.path), map_location="cpu")
        if not isinstance(found.get("state_dict", found), dict):
            raise Wrong("no weights")


class State(Target):
    """A saved state of a stream."""

    name, file, errors = "state", "state.pt", (ValueError,)

    def prepare(self, folder: Path) -> None:
        """Write a state."""
        sizes = dict(embed_dims=16, num_layers=1, num_heads=2, mlp_ratio=1)
        self.like = LCRBackbone(arch=sizes, img_size=16, patch_size=8).init_state(1)
        save_state(self.like, self.path)

    def read(self) -> None:
        """The same state, or none."""
        found = state_tensors(load_state(self.path, self.like))
        for name, tensor in state_tensors(self.like).items():
            if not torch.equal(found[name], tensor):
                raise Wrong(f"other {name}")


class ConfigFile(Target):
    """A config file, which is a program."""

    name, file, errors = "config", "run.py", (ConfigFileError,)

    def prepare(self, folder: Path) -> None:
        """Write a config of data alone."""
        lines = [
            "model = dict(type='LCRBackbone', img_size=64, heads=[3, 6])",
            "names = ('left', 'right', 'wäve')",
            "rates = {'lr': 3e-3, 'decay': 0.05, 'amp': False, 'seed': None}",
        ]
        self.path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def read(self) -> None:
        """What Python makes of the file."""
        found = read_config(self.path)
        expected: dict[str, Any] = {}
        exec(compile(self.path.read_bytes(), self.file, "exec"), expected)
        for name in ("model", "names", "rates"):
            if repr(found.get(name)) != repr(expected.get(name)):
                raise Wrong(f"{name} is {found.get(name)}")


class Exported(Target):
    """An exported model; ONNX keeps no sums, so the file has one of ours."""

    name, file, errors = "onnx", "model.onnx", (ValueError,)

    def prepare(self, folder: Path) -> None:
        """Take the model that ships."""
        self.path.write_bytes(shipped_file().read_bytes())
        self.engine = installed_engines()[-1]

    def read(self) -> None:
        """The same model, or none."""
        open_engine(self.path, self.engine, threads=1)
        if self.path.read_bytes() != self.sound:
            raise Wrong("a changed model was loaded")


class Video(Target):
    """A video, as the project's own reader sees it."""

    name, file, errors = "video", "clip.mp4", (VideoError,)

    def prepare(self, folder: Path) -> None:
        """Write a video."""
        with av.open(str(self.path), "w") as container:
            stream = container.add_stream("libx264", rate=12)
            stream.width = stream.height = 64
            stream.pix_fmt = "yuv420p"
            for step in range(12):
                picture = np.full((64, 64, 3), 15 * step, np.uint8)
                picture[:, 3 * step : 3 * step + 8] = 255
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    def read(self) -> None:
        """Upright RGB frames at growing times."""
        last = -1.0
        with open_video(self.path) as video:
            for frame in video:
                if frame.image.ndim != 3 or frame.image.shape[2] != 3:
                    raise Wrong(f"a picture of shape {frame.image.shape}")
                if not frame.time >= last:
                    raise Wrong(f"time {frame.time} after {last}")
                last = frame.time
        if last < 0:
            raise Wrong("no frame and no error")


def _decoded(content: bytes) -> str:
    """The text of a file that a reader took."""
    for mark, code in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le")):
        if content.startswith(mark):
            return content[len(mark) :].decode(code)
    if content.startswith(b"\xfe\xff"):
        return content[2:].decode("utf-16-be")
    return content.decode()


TARGETS = (
    ListFile,
    LabelMap,
    JesterCsv,
    Jpeg,
    Checkpoint,
    OldCheckpoint,
    State,
    ConfigFile,
    Exported,
    Video,
)


def fuzz(
    target: Target, cases: int, seed: int, keep: Path | None = None
) -> list[tuple[int, str]]:
    """Read mutated files; return the numbers of those that went wrong, and how."""
    found = []
    for number in range(cases):
        content = mutate(target.sound, random.Random(f"{seed}/{target.name}/{number}"))
        if fault := target.fault(content):
            found.append((number, fault))
            if keep:
                keep.mkdir(parents=True, exist_ok=True)
                name = f"{target.name}_{seed}_{number}{target.path.suffix}"
                (keep / name).write_bytes(content)
    target.path.write_bytes(target.sound)
    return found


def main() -> None:
    """Fuzz what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000, help="of all together")
    parser.add_argument("--seed", type=int, default=0)
    names = [target.name for target in TARGETS]
    parser.add_argument("--only", choices=names, help="one kind of file alone")
    parser.add_argument("--keep", type=Path, help="folder for files that went wrong")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    init_default_scope("mmaction")
    chosen: list[Any] = [t for t in TARGETS if args.only in (None, t.name)]
    total = 0
    for kind in chosen:
        with tempfile.TemporaryDirectory() as folder:
            cases = args.cases // len(chosen)
            found = fuzz(kind(Path(folder)), cases, args.seed, args.keep)
        print(f"{kind.name}: {len(found)} of {cases} went wrong", flush=True)
        for number, fault in found[:5]:
            print(f"  case {number}: {fault}")
        total += len(found)
    sys.exit(1 if total else 0)


if __name__ == "__main__":
    main()
