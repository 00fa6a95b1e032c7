"""The pipelines of the configs, written once; a config calls them with its values."""

from __future__ import annotations

from typing import Any

Pipeline = list[dict[str, Any]]


def clip_pipelines(
    clip_len: int,
    size: int,
    videos: bool = False,
    decoder: str = "pyav",
    crop: dict | None = None,
    flip: dict | None = None,
) -> tuple[Pipeline, Pipeline, Pipeline]:
    """Pipelines of clips spread over the whole of a video, with their edges.

    A config imports this function after its ``_base_``, which MMEngine allows, and gets
    plain lists: what is printed, dumped or changed with ``--cfg-options`` is those.

    Args:
        clip_len: Frames of a clip.
        size: Height and width of the frames in pixels.
        videos: Whether training and validation read video files; else folders of
            frames.
        decoder: Of video files; see :func:`lcr_runtime.video.open_video`.
        crop: Options of ``RandomResizedCrop`` in training, or of another transform
            that they name as their ``type``; None takes whole frames.
        flip: Options of ``Flip`` in training; None mirrors nothing.

    Returns:
        ``train_pipeline``, ``val_pipeline`` and ``test_pipeline``. The last is the
        second on a video file: what ``inference_recognizer`` and ``vis_cam.py`` run.
    """
    sample = dict(type="UniformSample", clip_len=clip_len)
    resize = dict(type="Resize", scale=(size, size), keep_ratio=False)
    end = [
        dict(type="EdgeExtract"),
        dict(type="FormatShape", input_format="NCTHW"),
        dict(type="PackActionInputs"),
    ]

    def reading(videos: bool, **test: bool) -> Pipeline:
        if not videos:
            return [dict(sample, **test), dict(type="RawFrameDecode")]
        return [
            dict(type="VideoInit", decoder=decoder),
            dict(sample, **test),
            dict(type="VideoDecode"),
        ]

    augment = [resize]
    if crop is not None:
        augment.insert(0, {"type": "RandomResizedCrop", **crop})
    if flip is not None:
        augment.append(dict(type="Flip", **flip))
    train = [*reading(videos), *augment, *end]
    val = [*reading(videos, test_mode=True), resize, *end]
    test = [*reading(True, test_mode=True), resize, *end]
    return train, val, test


def window_pipeline(
    train: Pipeline,
    sample: dict[str, Any],
    background: int,
    flip_label_map: dict[int, int],
) -> Pipeline:
    """Training pipeline of windows of continuous videos, from that of clips.

    Args:
        train: Of folders of frames, from :func:`clip_pipelines`; left as it is.
        sample: What chooses the frames of a window, in place of ``UniformSample``.
        background: Class of frames without a gesture.
        flip_label_map: What a class becomes in a mirrored picture: mapped frame by
            frame, at the end, and no longer in ``Flip``.
    """
    steps = [dict(step) for step in train[1:]]
    for step in steps:
        if step["type"] == "Flip":
            step.pop("flip_label_map", None)
    targets = dict(
        type="FrameTargets", background=background, flip_label_map=flip_label_map
    )
    return [sample, *steps[:-1], targets, steps[-1]]


def from_frames(pipeline: Pipeline) -> Pipeline:
    """The same pipeline, of videos, for folders of extracted frames."""
    decode = dict(type="RawFrameDecode")
    return [
        decode if step["type"] == "VideoDecode" else step
        for step in pipeline
        if step["type"] != "VideoInit"
    ]


def without_edges(pipeline: Pipeline) -> Pipeline:
    """The same pipeline for a model that finds the edges in its graph.

    Pictures have three channels then: give ``data_preprocessor`` three means and
    deviations.
    """
    return [step for step in pipeline if step["type"] != "EdgeExtract"]
