"""MMAction2's inferencer: the config's own reader, and videos with predictions."""

from __future__ import annotations

import copy
import functools
from collections import Counter
from collections.abc import Sequence
from os import path
from typing import Any

from mmaction.apis.inferencers import ActionRecogInferencer, MMAction2Inferencer
from mmaction.registry import TRANSFORMS
from mmaction.structures import ActionDataSample
from mmaction.visualization import ActionVisualizer
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.structures import LabelData

from lcr_runtime.video import open_video

READERS = ("VideoInit", "VideoDecode")
SHOWN = 3  # classes drawn into a video


def mend_inferencer_reader() -> None:
    """Let the inferencer read videos with the reader that the config names.

    The fault: ``ActionRecogInferencer`` puts ``DecordInit`` and ``DecordDecode`` in the
    place of whatever opens and decodes, and decord ends the process on some damaged
    files. Inactive for configs whose test pipeline does not name ``VideoInit`` and
    ``VideoDecode``.
    """
    upstream = ActionRecogInferencer._init_pipeline
    if hasattr(upstream, "__wrapped__"):
        return

    @functools.wraps(upstream)
    def init_pipeline(self: ActionRecogInferencer, cfg: Config) -> Compose:
        own = _readers(cfg)  # before it is changed in place
        pipeline = upstream(self, cfg)
        if self.input_format == "video" and len(own) == len(READERS):
            pipeline.transforms = [
                own.get(type(x).__name__.replace("Decord", "Video"), x)
                for x in pipeline.transforms
            ]
        return pipeline

    ActionRecogInferencer._init_pipeline = init_pipeline


def _readers(cfg: Config) -> dict[str, Any]:
    """The transforms of the config's test pipelines that open and decode videos."""
    pipelines = [cfg.get("test_pipeline") or [], cfg.test_dataloader.dataset.pipeline]
    steps = [step for pipeline in pipelines for step in pipeline]
    return {
        name: TRANSFORMS.build(step)
        for step in reversed(steps)
        for name in READERS
        if str(step["type"]).split(".")[-1] == name
    }


def mend_inferencer_videos() -> None:
    """Let ``vid_out_dir`` write every video, with its predictions.

    The faults: ``MMAction2Inferencer.visualize`` hands on the first prediction alone,
    so that one video is written of many; ``ActionVisualizer`` looks for predictions
    under names of MMAction2 0.x, so that none is drawn; it reads videos with decord
    alone, and writes 30 frames a second whatever the video has.
    """
    upstream = MMAction2Inferencer.visualize
    if hasattr(upstream, "__wrapped__"):
        return

    @functools.wraps(upstream)
    def visualize(
        self: MMAction2Inferencer, inputs: Sequence, preds: dict, **kwargs: Any
    ) -> list | None:
        if "rec" not in self.mode:
            return upstream(self, inputs, preds, **kwargs)
        wanted = ("show", "return_vis", "vid_out_dir")
        if not any(kwargs.get(name) for name in wanted):
            return None
        if kwargs.get("vid_out_dir"):
            _check_names(inputs)
        shown = []
        for video, (sample,) in zip(inputs, preds["rec"], strict=True):
            options = dict(kwargs)
            if "fps" not in options and isinstance(video, str) and path.isfile(video):
                with open_video(video) as reader:
                    options["fps"] = reader.rate or 1
            shown += self.actionrecog_inferencer.visualize(
                [video], [_with_labels(sample)], **options
            )
        return shown

    MMAction2Inferencer.visualize = visualize
    load = ActionVisualizer._load_video

    @functools.wraps(load)
    def load_video(self: ActionVisualizer, video: Any, *args: Any) -> Any:
        if isinstance(video, str) and path.isfile(video):
            with open_video(video) as reader:
                video = [frame.image[..., ::-1] for frame in reader]  # BGR, as it wants
        return load(self, video, *args)

    ActionVisualizer._load_video = load_video


def _check_names(inputs: Sequence) -> None:
    names = Counter(
        path.splitext(path.basename(video))[0]
        for video in inputs
        if isinstance(video, str)
    )
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ValueError(
            f"vid_out_dir would get {twice[0]}.mp4 of several inputs: give them one by "
            "one, each with a folder of its own"
        )


def _with_labels(sample: ActionDataSample) -> ActionDataSample:
    """A copy that has its best classes where the visualizer looks for them."""
    sample = copy.copy(sample)
    scores = sample.pred_score
    best = scores.topk(min(SHOWN, len(scores))).indices
    sample.set_field(LabelData(item=best, score=scores), "pred_labels")
    return sample
