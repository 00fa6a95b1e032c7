"""What training an entry of the zoo should take: counted work, estimated days.

Nothing is computed: PyTorch's fake tensors know shapes alone, so that sizes that no CPU
would train are counted as well. They go through plain PyTorch, as tensors of a GPU do.

- A step is three forward passes; their FLOPs as PyTorch's ``FlopCounterMode`` counts
  them, two a multiply-add of matrix products, convolutions and WKV operators.
- Memory: the bytes that autograd keeps for the backward pass of a clip in float32, each
  storage once, times the clips of a batch and ``PEAK``, how much higher the peak of one
  clip was than that where it was measured (1431 MiB of ``lcr_jester.py`` on a CPU, its
  chains not fused); and 20 bytes a parameter for weights, gradients, AdamW's two
  averages and the model's own (EMA).
- Days = FLOPs of a clip x clips x epochs / (GPUs x FLOP/s of a GPU). That rate is an
  assumption, ``--tflops``: put in yours.

Example:
    python benchmarks/training_cost.py
"""

from __future__ import annotations

import lcr_mmaction  # noqa: F401  # isort: skip  (before PyTorch: how threads wait)

import argparse
from pathlib import Path
from typing import NamedTuple

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from shared.measuring import markdown
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

CONFIGS = Path(__file__).parents[1] / "configs"
# Training clips in MMAction2's own lists.
CLIPS = {"sthv2": 168913, "k400": 240436}
WIDTHS = {"tiny": 192, "small": 384, "base": 768}
STARTS = tuple(f"{v}_{size}" for size in WIDTHS for v in ("vrwkv", "vrwkv6"))
BYTES_A_PARAMETER = 20
PEAK = 1.6


class Cost(NamedTuple):
    """What one clip of a training step costs.

    Attributes:
        parameters: Of the whole model.
        flops: Of a training step.
        kept: Bytes that autograd keeps.
    """

    parameters: int
    flops: int
    kept: int


def count(config: Config, shape: tuple[int, ...]) -> Cost:
    """Count a training step of one clip.

    Args:
        config: With ``model``, a recognizer of LCR.
        shape: Of the clip, ``(C, T, H, W)``.
    """
    model = MODELS.build(config.model).train()
    with FakeTensorMode() as mode:
        for module in model.modules():
            for tensors in (module._parameters, module._buffers):
                for name, tensor in tensors.items():
                    if tensor is not None:
                        tensors[name] = mode.from_tensor(tensor)
        # Whether patches are masked is a question to data, of which there is none.
        model.backbone._masks = lambda clips: False
        weights = {x.untyped_storage()._cdata for x in model.parameters()}
        kept: dict[int, Tensor] = {}

        def keep(tensor: Tensor) -> Tensor:
            place = tensor.untyped_storage()._cdata
            if place not in weights:
                kept[place] = tensor
            return tensor

        counter = FlopCounterMode(display=False)
        with counter, saved_tensors_hooks(keep, lambda tensor: tensor):
            model.cls_head(model.backbone(torch.empty(1, *shape)))
    return Cost(
        sum(x.numel() for x in model.parameters()),
        3 * counter.get_total_flops(),
        sum(x.untyped_storage().nbytes() for x in kept.values()),
    )


def entries(data: str) -> list[tuple[str, Config]]:
    """Every entry of a data set's page, as configs."""
    found = [(f"lcr_{data}", Config.fromfile(CONFIGS / f"lcr_{data}.py"))]
    for arch in STARTS:
        config = Config.fromfile(CONFIGS / f"lcr_{data}_vrwkv.py")
        config.model.backbone.arch = arch
        config.model.cls_head.in_channels = 2 * WIDTHS[arch.rpartition("_")[2]]
        found.append((f"lcr_{data}_vrwkv, {arch}", config))
    return found


def main() -> None:
    """Print a table for each data set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tflops", type=float, default=5.0, help="of one GPU")
    parser.add_argument("--gpus", type=int, default=8)
    args = parser.parse_args()
    init_default_scope("mmaction")
    header = ["entry", "params, M", "GFLOPs a step and clip", "kept a clip, GiB"]
    header += ["a GPU of 16 clips, GiB", f"days on {args.gpus} GPUs"]
    for data, clips in CLIPS.items():
        rows = []
        for name, config in entries(data):
            cost = count(config, (4, 16, 224, 224))
            batch = config.train_dataloader.batch_size
            memory = PEAK * batch * cost.kept + BYTES_A_PARAMETER * cost.parameters
            work = cost.flops * clips * config.train_cfg.max_epochs
            seconds = work / (args.gpus * args.tflops * 1e12)
            rows.append(
                [
                    name,
                    f"{cost.parameters / 1e6:.3f}",
                    f"{cost.flops / 1e9:.0f}",
                    f"{cost.kept / 2**30:.2f}",
                    f"{memory / 2**30:.0f}",
                    f"{seconds / 86400:.1f}",
                ]
            )
        print(f"{data}\n\n{markdown(header, rows)}\n", flush=True)


if __name__ == "__main__":
    main()
