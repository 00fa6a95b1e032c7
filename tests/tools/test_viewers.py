"""The tools that leave pictures, and the benchmark."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmaction.apis import init_recognizer
from mmengine.config import Config
from PIL import Image
from tool_runs import Run, Trained

from lcr_mmaction.deployment import shipped_model
from lcr_mmaction.upstream.browsing import as_picture
from lcr_mmaction.upstream.grad_cam import TokenGradCAM

pytest.importorskip("moviepy", reason="the viewers need the extra 'tools'")


def first_frame(path: Path) -> np.ndarray:
    decoded, frame = cv2.VideoCapture(str(path)).read()
    assert decoded
    return frame


def test_browsing_shows_every_stage_with_edges_and_masks(
    trained: Trained, tool: Run, tmp_path: Path
) -> None:
    config = tmp_path / "masked.py"
    source = trained.config.read_text().replace(
        "train_pipeline = test_pipeline",
        "train_pipeline = test_pipeline[:5] + [\n"
        "    dict(type='TubeMask', mask_ratio=0.5, patch_size=8)] + test_pipeline[5:]",
    )
    config.write_text(source)
    arguments = (config, tmp_path, "--phase", "train", "--show-number", 1)
    tool("visualizations/browse_dataset.py", *arguments, "--mode", "pipeline")
    # Decoded and resized frames, then with edges, then with masks as well.
    assert first_frame(tmp_path / "video_0.mp4").shape[1] > 2 * 32 + 2 * 64


def test_a_picture_has_colours_edges_and_grey_masks() -> None:
    frame = np.zeros((2, 2, 4), np.float16)
    frame[..., :3], frame[..., 3] = (10, 20, 30), 255
    frame[1, 1] = -np.inf
    picture = as_picture(frame)
    assert picture.dtype == np.uint8 and picture.shape == (2, 4, 3)
    assert picture[0, 0].tolist() == [10, 20, 30]
    assert picture[0, 2].tolist() == [255, 255, 255]
    assert picture[1, 1].tolist() == picture[1, 3].tolist() == [127, 127, 127]


def test_grad_cam_draws_on_the_clip(
    trained: Trained, tool: Run, tmp_path: Path
) -> None:
    video, out = trained.root / "val_0_0.mp4", tmp_path / "cam.gif"
    arguments = (trained.config, trained.checkpoint, video, "--out-filename", out)
    tool("visualizations/vis_cam.py", *arguments)
    with Image.open(out) as animation:
        assert animation.n_frames == 4 and animation.size == (32, 32)
        heat = np.asarray(animation.convert("RGB")).astype(int)
    # The clip is grey: colour comes from the map alone.
    assert (heat.max(axis=-1) - heat.min(axis=-1)).max() > 20


def test_grad_cam_names_a_layer_that_does_not_exist(config: Path) -> None:
    model = init_recognizer(str(config), device="cpu")
    with pytest.raises(ValueError, match="'layer4' is no layer here.*frame_embed"):
        TokenGradCAM(model, "backbone/layer4")


def test_a_clip_is_annotated_as_video_animation_and_strip(
    trained: Trained, in_process: Run, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    script = "visualizations/annotate_clip.py"
    arguments = (trained.config, trained.checkpoint, trained.root / "val_1_0.mp4")
    labels = ("--label-file", trained.root / "labels.txt", "--top-k", 2)
    in_process(script, *arguments, tmp_path / "a.mp4", *labels)
    assert re.search(r"val_1_0.mp4: (left|right|still) \(\d", capsys.readouterr().out)
    height, width, _ = first_frame(tmp_path / "a.mp4").shape
    in_process(script, *arguments, tmp_path / "a.gif", *labels)
    with Image.open(tmp_path / "a.gif") as animation:
        assert animation.n_frames == 6 and animation.size == (width, height)
    # Without a label file the names come from the config; three classes, not two.
    in_process(script, *arguments, tmp_path / "a.png", "--frames", 3)
    assert Image.open(tmp_path / "a.png").size == (3 * width, height + 26)


def test_what_a_model_does_with_a_clip_is_drawn(
    trained: Trained, in_process: Run, tmp_path: Path
) -> None:
    script = "visualizations/vis_internals.py"
    checkpoint = torch.load(trained.checkpoint, weights_only=False)
    weights = checkpoint["state_dict"]
    weights["backbone.blocks.0.cell.bias"].fill_(50.0)  # the forget gate is 1
    weights["backbone.blocks.0.cell.scale"].zero_()
    torch.save(checkpoint, tmp_path / "open.pth")
    arguments = (trained.config, tmp_path / "open.pth", trained.root / "val_1_0.mp4")
    module = in_process(script, *arguments, tmp_path / "a.png", "--frames", 2)
    sheet = cv2.imread(str(tmp_path / "a.png"))
    assert sheet.shape[1] >= 1000
    in_process(script, *arguments, tmp_path / "a.mp4")
    video = cv2.VideoCapture(str(tmp_path / "a.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 4
    assert first_frame(tmp_path / "a.mp4").std() > 10

    # In a figure of its own, where the place of every map is known.
    model = init_recognizer(*map(str, arguments[:2]), device="cpu")
    seen = module.see(model, module.read_clip(model.cfg, arguments[2]))
    assert seen.edges.min() == 0 and seen.edges.max() == 1
    figure = module.Drawing(seen, None, ["a", "b", "c"], 3).sheet(2)
    picture = module.as_picture(figure)
    maps = {axis.get_ylabel(): axis for axis in figure.axes}
    place = maps["forget gate, block 1\n1 everywhere"].get_window_extent()
    inside = picture[
        len(picture) - int(place.y1) + 2 : len(picture) - int(place.y0) - 2,
        int(place.x0) + 2 : int(place.x1) - 2,
    ]
    assert inside.size > 1000 and (inside == 255).all()


def test_a_folder_of_frames_is_a_clip(in_process: Run, tmp_path: Path) -> None:
    script = "visualizations/vis_internals.py"
    folder = tmp_path / "frames"
    folder.mkdir()
    with pytest.raises(ValueError, match="frames holds no picture: expected files in"):
        in_process(script, folder, tmp_path / "a.png")
    for index in range(9):
        shade = np.full((48, 64, 3), 20 * index, np.uint8)
        shade[10:30, 5 * index : 5 * index + 12, 2] = 255  # red
        cv2.imwrite(str(folder / f"{index:03}.png"), shade)
    module = in_process(script, folder, tmp_path / "a.png", "--blocks", 2)
    assert cv2.imread(str(tmp_path / "a.png")) is not None
    config, _ = shipped_model()
    packed = module.read_clip(Config.fromfile(config), folder)
    assert packed["inputs"].shape == (1, 3, 8, 64, 64)
    reddest = packed["inputs"][0, :, 0].flatten(1)[
        :, packed["inputs"][0, 0, 0].argmax()
    ]
    assert reddest[0] > 200 and reddest[1:].max() < 60
    with pytest.raises(ValueError, match="--blocks 3: the model has 2 blocks"):
        in_process(script, folder, tmp_path / "a.png", "--blocks", 3)


def test_what_cannot_be_annotated_is_named(
    trained: Trained, in_process: Run, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    script = "visualizations/annotate_clip.py"
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    arguments = (trained.config, trained.checkpoint, broken)
    with pytest.raises(ValueError, match="broken.mp4 cannot be read by"):
        in_process(script, *arguments, tmp_path / "a.gif")
    with pytest.raises(SystemExit):
        in_process(script, *arguments, tmp_path / "a.txt")
    assert "must end in .mp4, .gif or .png" in capsys.readouterr().err
    labels = tmp_path / "labels.txt"
    labels.write_text("left\nright\n")
    arguments = (trained.config, trained.checkpoint, trained.root / "val_1_0.mp4")
    with pytest.raises(ValueError, match="2 labels in .*labels.txt for the 3 classes"):
        in_process(script, *arguments, tmp_path / "a.png", "--label-file", labels)


def test_curves_of_a_run_become_a_picture(trained: Trained, tool: Run) -> None:
    tool("analysis_tools/plot_curves.py", trained.work_dir)
    assert Image.open(trained.work_dir / "curves.png").size == (1200, 480)


def test_a_resumed_run_is_one_curve(in_process: Run, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no \*/vis_data/scalars.json"):
        in_process("analysis_tools/plot_curves.py", tmp_path)
    starts = {"20260101_000000": [(1, 3.0), (2, 2.5)], "20260102_000000": [(2, 2.0)]}
    for start, points in starts.items():
        folder = tmp_path / start / "vis_data"
        folder.mkdir(parents=True)
        lines = [json.dumps({"loss": loss, "step": step}) for step, loss in points]
        (folder / "scalars.json").write_text("\n".join(lines) + "\n")
    plot_curves = in_process("analysis_tools/plot_curves.py", tmp_path)
    records = plot_curves.read_records(tmp_path)
    assert plot_curves.curve(records, "loss") == ([1, 2], [3.0, 2.0])


def test_the_benchmark_times_loading_training_and_inference(
    trained: Trained, in_process: Run, capsys: pytest.CaptureFixture
) -> None:
    in_process(
        "analysis_tools/benchmark.py",
        *(trained.config, "--iters", 3, "--warmup", 1),
        *("--cfg-options", "train_dataloader.batch_size=2"),
    )
    output = capsys.readouterr().out
    assert "2 clips per iteration" in output
    for row in ("data loading", "training step", "inference"):
        rate, milliseconds = re.search(
            rf"{row} +([\d.]+) it/s +([\d.]+) ms", output
        ).groups()
        assert float(rate) * float(milliseconds) == pytest.approx(1000, rel=0.1)
