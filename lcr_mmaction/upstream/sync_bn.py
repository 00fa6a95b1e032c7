"""Batch norm whose statistics are those of all processes, on the CPU."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import get_world_size
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm


class _SumOverProcesses(torch.autograd.Function):
    """The sum over all processes, in the gradient as well."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        total = grads[0].contiguous().clone()
        distributed.all_reduce(total)
        return total


class CpuSyncBatchNorm(_BatchNorm):
    """:class:`torch.nn.SyncBatchNorm` for tensors on the CPU, in float32.

    With ``n`` values of a channel in all processes together, ``m = sum(x) / n`` and
    ``v = sum((x - m)^2) / n`` are sums over all of them, and ``y = (x - m) /
    sqrt(v + eps) * weight + bias``.
    """

    def _check_input_dim(self, x: Tensor) -> None:
        pass

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``[N, C, ...]``."""
        if not self.training or get_world_size() == 1:
            return super().forward(x)
        over = [0, *range(2, x.dim())]
        shape = [-1] + [1] * (x.dim() - 2)
        values = x.float()
        count = values.new_full((1,), x.numel() / x.shape[1])
        sums = _SumOverProcesses.apply(torch.cat([values.sum(over), count]))
        mean, count = sums[:-1] / sums[-1], sums[-1].detach()
        centred = values - mean.view(shape)
        variance = _SumOverProcesses.apply(centred.square().sum(over)) / count
        self._note(mean.detach(), variance.detach() * count / (count - 1))
        scale = torch.rsqrt(variance + self.eps)
        if self.affine:
            scale = scale * self.weight
        normed = centred * scale.view(shape)
        if self.affine:
            normed = normed + self.bias.view(shape)
        return normed.to(x.dtype)

    def _note(self, mean: Tensor, variance: Tensor) -> None:
        """Take a batch into the running statistics, as batch norm does."""
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        share = self.momentum
        if share is None:
            share = 1 / int(self.num_batches_tracked)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


def convert_on_cpu(module: nn.Module) -> nn.Module:
    """Put :class:`CpuSyncBatchNorm` in the place of every batch norm of a model."""
    converted = module
    if isinstance(module, _BatchNorm):
        converted = CpuSyncBatchNorm(
            module.num_features,
            module.eps,
            module.momentum,
            module.affine,
            module.track_running_stats,
        )
        converted.train(module.training)
        # The same tensors, under their names.
        converted._parameters, converted._buffers = module._parameters, module._buffers
    for name, child in module.named_children():
        converted.add_module(name, convert_on_cpu(child))
    return converted
