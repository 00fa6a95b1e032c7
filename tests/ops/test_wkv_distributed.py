"""``bi_wkv`` under DistributedDataParallel, in two processes on the CPU."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.multiprocessing as processes
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from lcr_mmaction.ops import bi_wkv

RANKS = 2


class Layer(torch.nn.Module):
    """The operator between projections; every parameter's gradient passes it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.project = torch.nn.Linear(16, 48)
        self.decay = torch.nn.Parameter(torch.randn(2, 8))
        self.bonus = torch.nn.Parameter(torch.randn(2, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        r, k, v = self.project(x).unflatten(-1, (2, -1)).chunk(3, dim=-1)
        return bi_wkv(r, k, v, -self.decay.exp(), self.bonus)


def batch() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2 * RANKS, 21, 16, generator=generator)


def gradients(layer: torch.nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    layer(x).square().mean().backward()
    return [parameter.grad for parameter in layer.parameters()]


def run_rank(rank: int, folder: str) -> None:
    distributed.init_process_group(
        "gloo", f"file://{folder}/rendezvous", rank=rank, world_size=RANKS
    )
    share = batch().chunk(RANKS)[rank]
    grads = gradients(DistributedDataParallel(Layer()), share)
    torch.save(grads, Path(folder) / f"{rank}.pt")
    distributed.destroy_process_group()


def test_two_ranks_average_the_gradients_of_the_whole_batch(tmp_path):
    processes.spawn(run_rank, (str(tmp_path),), nprocs=RANKS)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(RANKS))
    expected = gradients(Layer(), batch())
    for mine, other, whole in zip(first, second, expected, strict=True):
        assert torch.equal(mine, other)
        torch.testing.assert_close(mine, whole)
