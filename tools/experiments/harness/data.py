"""The clips that studies train on, rendered where they are absent."""

from __future__ import annotations

from pathlib import Path

from renderer.dataset import RenderSettings, render_dataset
from renderer.tasks import JesterTask, OrderedTask, Task

from .study import Clips


def task_of(clips: Clips) -> Task:
    """What a class is.

    Raises:
        ValueError: There is no such task.
    """
    if clips.task == "jester":
        return JesterTask()
    if clips.task == "ordered":
        return OrderedTask(clips.steps, clips.gap)
    raise ValueError(f"task = {clips.task!r}: expected 'jester' or 'ordered'")


def provide(clips: Clips, data: Path, workers: int) -> None:
    """Render what a folder lacks; clips that are there stay listed.

    Args:
        clips: What is needed.
        data: Folder of the clip folders.
        workers: Rendering processes.
    """
    root, task = data / clips.folder, task_of(clips)
    present = [
        _lines(root / f"{task.name}_{split}_list_rawframes.txt")
        for split in ("train", "val")
    ]
    wanted = (clips.train, clips.val)
    if all(have >= want for have, want in zip(present, wanted, strict=True)):
        return
    sizes = [max(both) for both in zip(present, wanted, strict=True)]
    settings = RenderSettings(mean_frames=clips.mean_frames)
    print(
        f"{root}: rendering up to {sizes[0]} + {sizes[1]} synthetic clips", flush=True
    )
    render_dataset(root, sizes, settings, workers, task)


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0
