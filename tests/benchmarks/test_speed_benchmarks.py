from __future__ import annotations

import csv
import itertools
import math
from pathlib import Path

import models
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from reading import write_pattern
from shared.measuring import Times, exponent, markdown, take_turns
from shared.operators import bytes_of_the_rest, record, replay
from torch import nn
from training_cost import count

from lcr_mmaction.ops.extension import why_missing
from lcr_mmaction.ops.fused import add_gated

ROOT = Path(__file__).parents[2]


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def first_cells(text: str) -> list[str]:
    return [
        line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")
    ]


def test_every_model_gets_its_figures_in_every_mode_and_precision(run_benchmark):
    models, modes = ("LCR tiny", "TSM-MobileNetV2"), ("forward", "training step")
    out = run_benchmark(
        "models", "--models", *models, "--frames", 2, "--sizes", 32, "--repeats", 1
    )
    rows = read_rows(out / "models.csv")
    kinds = [(row["model"], row["mode"], row["dtype"]) for row in rows]
    assert sorted(kinds) == [*itertools.product(models, modes, ("bf16", "fp32"))]
    for row in rows:
        assert float(row["clips_per_second"]) > 0
        assert float(row["fp32_peak_mib"]) > 4 * int(row["parameters"]) / 2**20
        assert int(row["flops"]) > 0
    assert [x for x in first_cells((out / "models.md").read_text()) if x in models] == [
        *models
    ]
    assert (out / "models.png").stat().st_size


def test_the_models_plot_has_no_text_upon_text(texts_apart):
    args = models.parse_args(["--sizes", "224", "112"])
    # Pairs of models that are nearly alike, and one far away.
    places = [(9.9 + i % 2 / 5, 0.1 + i % 2 / 500) for i in range(len(models.NAMES))]
    places[-1] = (300.0, 2.0)
    rows = [
        models.Row(
            *(name, size, 1, int(1e9 * work), (1.0, 1.0)),
            {(mode, "fp32"): Times((time,), warm=True) for mode in models.MODES},
        )
        for size in args.sizes
        for name, (work, time) in zip(models.NAMES, places, strict=True)
    ]
    texts = texts_apart(models.plot(rows, args))
    assert all(texts.count(name) == 4 for name in models.NAMES)


def test_costs_are_fitted_over_frames_and_over_tokens(run_benchmark):
    options = "--arch nano --lengths 1 2 --length-size 32 --sizes 32 64 --size-frames 1"
    out = run_benchmark("scaling", *options.split(), "--repeats", 1)
    rows = read_rows(out / "scaling.csv")
    assert len(rows) == 2 * (2 + 2)
    assert all(float(row["seconds"]) > 0 for row in rows)
    trained = [row for row in rows if not math.isnan(float(row["training_mib"]))]
    assert {row["model"] for row in trained} == {"LCR"}
    cells = first_cells((out / "scaling.md").read_text())
    assert cells.count("forward, s") == 4  # both models, in frames and in tokens
    assert (out / "scaling.png").stat().st_size


def test_structure_has_all_its_tables(run_benchmark):
    options = "--arch nano --frames 2 --size 32 --batches 1 2 --repeats 1"
    text = (run_benchmark("structure", *options.split()) / "structure.md").read_text()
    titles = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    for part in ("Matrix speed", "plain loop", "checkpointing", "Where the time goes"):
        assert any(part in title for title in titles), part
    cells = first_cells(text)
    for cell in ("fp32", "bf16", "forward + backward", "bi_wkv", "linear layers"):
        assert cell in cells


def test_the_data_path_lists_transforms_and_workers(run_benchmark, tmp_path):
    write_pattern(tmp_path, num_frames=8)
    (tmp_path / "clips.txt").write_text("pattern_jpegs 8 0\n" * 4)
    config = tmp_path / "config.py"
    config.write_text(
        f"""
_base_ = [{str(ROOT / "configs/lcr_jester_tiny.py")!r}]
train_dataloader = dict(batch_size=2, num_workers=1, dataset=dict(
    ann_file={str(tmp_path / "clips.txt")!r},
    data_prefix=dict(img={str(tmp_path)!r})))
"""
    )
    out = run_benchmark("data_path", config, "--clips", 2, "--repeats", 1)
    cells = first_cells((out / "data_path.md").read_text())
    assert "2. RawFrameDecode" in cells
    assert "6. EdgeExtract" in cells
    assert cells[-2:] == ["0", "1 (the config's)"]


def test_the_cost_of_training_is_counted_without_computing():
    init_default_scope("mmaction")
    config = Config.fromfile(ROOT / "configs/lcr_jester_tiny.py")
    once, twice = (count(config, (4, frames, 64, 64)) for frames in (4, 8))
    assert once.parameters == twice.parameters == 352619
    # Half of the eight frames that get_flops.py counts; the head is the rest.
    assert once.flops == pytest.approx(6 * 76.03e6 / 2, rel=0.02)
    assert twice.flops == pytest.approx(2 * once.flops, rel=0.01)
    assert twice.kept == pytest.approx(2 * once.kept, rel=0.1)
    # At least the tokens that go into each of the linear layers, twelve or more.
    assert once.kept > 12 * 4 * 4 * 16 * 96


def test_what_others_move_is_counted_without_products_views_and_room():
    x, weight = torch.ones(6, 4), torch.ones(4, 4)

    def call():
        y = torch.empty(6, 4)
        (x @ weight).view(4, 6)  # a product and a view
        torch.add(x, x, out=y)
        y.relu_()
        y.t() + 1

    # add reads two and writes one, relu and the sum read one and write one
    assert bytes_of_the_rest(call) >= 4 * 24 * (3 + 2 + 2)
    assert bytes_of_the_rest(call) <= 4 * 24 * (4 + 2 + 2)


@pytest.mark.skipif(why_missing("cpu") is not None, reason="there is no CPU kernel")
def test_what_fused_kernels_move_is_counted():
    x, gate, value = torch.ones(3, 2, 40, 64)
    with torch.no_grad():
        moved = bytes_of_the_rest(lambda: add_gated(x, gate, value, None))
    assert moved == 4 * 4 * x.numel()  # three read, one written


def test_recorded_products_are_those_that_were_executed():
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 1, groups=4), nn.Flatten(), nn.Linear(16, 5)
    )
    image = torch.randn(1, 2, 4, 4)
    products = record(lambda: model(image))
    assert [product.kind for product in products] == [
        "convolution",
        "depthwise convolution",
        "linear",
    ]
    again = record(lambda: replay(products))
    assert [p.args for p in again] == [p.args for p in products]


def test_the_exponent_of_a_power_law_is_found():
    sizes = [2, 8, 64]
    assert exponent(sizes, [3 * x**1.5 for x in sizes]) == pytest.approx(1.5)


def test_a_contestant_without_time_left_misses_its_turns():
    made = []
    calls = {key: lambda key=key: made.append(key) for key in "ab"}
    times = take_turns(calls, "cpu", repeats=2, limit=0)
    assert made == ["a", "b"]
    assert not times["a"].warm
    made.clear()
    assert take_turns(calls, "cpu", repeats=2)["b"].warm
    assert made == ["a", "b"] * 3


def test_tables_round_to_three_digits():
    table = markdown(["x"], [[0.012345], [123.4], [12.34], [0.0], ["text"]])
    assert first_cells(table)[2:] == ["0.0123", "123", "12.3", "0", "text"]
