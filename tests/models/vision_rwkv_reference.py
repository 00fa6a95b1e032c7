"""Vision-RWKV's published equations in float64, and random weights of its layout.

Written from the papers' equations (arXiv 2403.02308, 2404.05892), with loops and full
matrices of weights, and sharing nothing with the package: it takes the published key
names.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

Weights = dict[str, Tensor]


def random_weights(
    version: int,
    dim: int,
    heads: int,
    layers: int,
    scaled: bool,
    side: int = 14,
    patch: int = 16,
    classes: int = 10,
    seed: int = 0,
) -> Weights:
    """Weights under the published names, prefix and shapes."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int, std: float = 1.0, mean: float = 0.0) -> Tensor:
        return mean + std * torch.randn(*shape, generator=generator)

    def linear(out: int, inputs: int) -> Tensor:
        return draw(out, inputs, std=inputs**-0.5)

    weights: Weights = {
        "pos_embed": draw(1, side * side, dim, std=0.5),
        "patch_embed.projection.weight": draw(dim, 3, patch, patch, std=0.05),
        "patch_embed.projection.bias": draw(dim, std=0.1),
        "ln1.weight": draw(dim, mean=1, std=0.2),
        "ln1.bias": draw(dim, std=0.1),
    }
    for i in range(layers):
        at = f"layers.{i}."
        for norm in ("ln0", "ln1", "ln2") if i == 0 else ("ln1", "ln2"):
            weights[f"{at}{norm}.weight"] = draw(dim, mean=1, std=0.2)
            weights[f"{at}{norm}.bias"] = draw(dim, std=0.1)
        if scaled:
            weights[f"{at}gamma1"] = draw(dim, mean=0.5, std=0.2)
            weights[f"{at}gamma2"] = draw(dim, mean=0.5, std=0.2)
        for name in ("spatial_mix_k", "spatial_mix_r"):
            weights[f"{at}ffn.{name}"] = draw(1, 1, dim, mean=0.5, std=0.3)
        weights[f"{at}ffn.key.weight"] = linear(4 * dim, dim)
        weights[f"{at}ffn.receptance.weight"] = linear(dim, dim)
        weights[f"{at}ffn.value.weight"] = linear(dim, 4 * dim)
        for name in ("key", "value", "receptance", "output"):
            weights[f"{at}att.{name}.weight"] = linear(dim, dim)
        if version == 4:
            # Growing with the distance as well as falling.
            weights[f"{at}att.spatial_decay"] = draw(dim, std=4)
            weights[f"{at}att.spatial_first"] = draw(dim)
            for name in "kvr":
                weights[f"{at}att.spatial_mix_{name}"] = draw(
                    1, 1, dim, mean=0.5, std=0.3
                )
            continue
        for name in "xwkvrg":
            weights[f"{at}att.time_maa_{name}"] = draw(1, 1, dim, mean=0.5, std=0.3)
        weights[f"{at}att.time_maa_w1"] = draw(dim, 5 * 32, std=dim**-0.5)
        weights[f"{at}att.time_maa_w2"] = draw(5, 32, dim, std=0.1)
        weights[f"{at}att.time_decay"] = draw(1, 1, dim, mean=-2, std=2)
        weights[f"{at}att.time_decay_w1"] = draw(dim, 64, std=dim**-0.5)
        weights[f"{at}att.time_decay_w2"] = draw(64, dim, std=0.1)
        weights[f"{at}att.time_faaaa"] = draw(heads, dim // heads)
        weights[f"{at}att.gate.weight"] = linear(dim, dim)
        weights[f"{at}att.ln_x.weight"] = draw(dim, mean=1, std=0.2)
        weights[f"{at}att.ln_x.bias"] = draw(dim, std=0.1)
    weights = {f"backbone.{key}": value for key, value in weights.items()}
    weights["head.fc.weight"] = linear(classes, dim)
    weights["head.fc.bias"] = draw(classes)
    return weights


def run(weights: Weights, images: Tensor, patch: int = 16) -> dict[str, Tensor]:
    """Tokens after every layer, pooled features and logits of ``[B, 3, H, W]``."""
    weights = {key.removeprefix("backbone."): x.double() for key, x in weights.items()}
    images = images.double()
    height, width = (size // patch for size in images.shape[-2:])
    side = round(weights["pos_embed"].shape[1] ** 0.5)
    x = F.conv2d(
        images,
        weights["patch_embed.projection.weight"],
        weights["patch_embed.projection.bias"],
        stride=patch,
    )
    x = x.permute(0, 2, 3, 1).reshape(len(images), height * width, -1)
    positions = weights["pos_embed"]
    if (side, side) != (height, width):
        square = positions.reshape(1, side, side, -1).permute(0, 3, 1, 2)
        square = F.interpolate(square, (height, width), mode="bicubic")
        positions = square.permute(0, 2, 3, 1).reshape(1, height * width, -1)
    x = x + positions
    results = {}
    layers = 1 + max(int(k.split(".")[1]) for k in weights if k.startswith("layers."))
    for i in range(layers):
        own = {
            key.removeprefix(f"layers.{i}."): value
            for key, value in weights.items()
            if key.startswith(f"layers.{i}.")
        }
        if i == 0:
            x = _norm(x, own, "ln0")
        attend = _attend_6 if "att.time_decay" in own else _attend_4
        heads = len(own["att.time_faaaa"]) if "att.time_faaaa" in own else 1
        size = (height, width, heads)
        if "gamma1" in own:
            x = x + own["gamma1"] * _norm(attend(x, own, size), own, "ln1")
            x = x + own["gamma2"] * _norm(_feed(x, own, size), own, "ln2")
        else:
            x = x + attend(_norm(x, own, "ln1"), own, size)
            x = x + _feed(_norm(x, own, "ln2"), own, size)
        results[f"layer {i}"] = x
    results["pooled"] = _norm(x, weights, "ln1").mean(1)
    logits = results["pooled"] @ weights["head.fc.weight"].T
    results["logits"] = logits + weights["head.fc.bias"]
    return results


def _norm(x: Tensor, weights: Weights, name: str) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    scale = (centred.square().mean(-1, keepdim=True) + 1e-5).rsqrt()
    return centred * scale * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def _shift(x: Tensor, height: int, width: int, groups: int) -> Tensor:
    """Each token's quarters from its four neighbours, one token at a time."""
    b, _, c = x.shape
    grid = x.reshape(b, height, width, groups, 4, c // groups // 4)
    shifted = torch.zeros_like(grid)
    steps = ((0, -1), (0, 1), (-1, 0), (1, 0))
    for row in range(height):
        for column in range(width):
            for quarter, (down, right) in enumerate(steps):
                i, j = row + down, column + right
                if 0 <= i < height and 0 <= j < width:
                    shifted[:, row, column, :, quarter] = grid[:, i, j, :, quarter]
    return shifted.reshape(x.shape)


def _attend_4(x: Tensor, own: Weights, size: tuple[int, int, int]) -> Tensor:
    own = {k.removeprefix("att."): v for k, v in own.items() if k.startswith("att.")}
    shifted = _shift(x, *size[:2], 1)
    k, v, r = (
        (
            x * own[f"spatial_mix_{name[0]}"]
            + shifted * (1 - own[f"spatial_mix_{name[0]}"])
        )
        @ own[f"{name}.weight"].T
        for name in ("key", "value", "receptance")
    )
    y = normalised_wkv(k, v, own["spatial_decay"], own["spatial_first"])
    return (r.sigmoid() * y) @ own["output.weight"].T


def normalised_wkv(k: Tensor, v: Tensor, w: Tensor, u: Tensor) -> Tensor:
    """The published quotient with its full matrix of weights; differentiable."""
    tokens = k.shape[1]
    place = torch.arange(tokens, device=k.device)
    apart = (place[:, None] - place).abs()
    # [T, T, C], of token i for token t.
    exponent = -(apart - 1)[..., None] * w / tokens
    own = torch.eye(tokens, dtype=torch.bool, device=k.device)[..., None]
    exponent = torch.where(own, u / tokens, exponent) + k[:, None]
    # Common to numerator and denominator, and so of no effect.
    weight = (exponent - exponent.amax(2, keepdim=True).detach()).exp()
    return (weight * v[:, None]).sum(2) / weight.sum(2)


def _attend_6(x: Tensor, own: Weights, size: tuple[int, int, int]) -> Tensor:
    own = {k.removeprefix("att."): v for k, v in own.items() if k.startswith("att.")}
    height, width, heads = size
    change = _shift(x, height, width, heads) - x
    low = torch.tanh((x + change * own["time_maa_x"]) @ own["time_maa_w1"])
    mixed = {}
    for i, name in enumerate("wkvrg"):
        more = low[..., 32 * i : 32 * (i + 1)] @ own["time_maa_w2"][i]
        mixed[name] = x + change * (own[f"time_maa_{name}"] + more)
    r, k, v, g = (
        mixed[name[0]] @ own[f"{name}.weight"].T
        for name in ("receptance", "key", "value", "gate")
    )
    rank = torch.tanh(mixed["w"] @ own["time_decay_w1"]) @ own["time_decay_w2"]
    decay = -torch.exp(own["time_decay"] + rank)
    r, k, v, decay = (t.unflatten(-1, (heads, -1)) for t in (r, k, v, decay))
    y = torch.zeros_like(v)
    state = torch.zeros(*r.shape[:1], heads, r.shape[3], v.shape[3]).to(v)
    for forwards in (True, False):
        state = torch.zeros_like(state)
        order = range(r.shape[1])
        for t in order if forwards else reversed(order):
            now = k[:, t, :, :, None] * v[:, t, :, None]
            read = state + own["time_faaaa"][..., None] * now if forwards else state
            y[:, t] += (r[:, t, :, :, None] * read).sum(2)
            state = decay[:, t].exp()[..., None] * state + now
    centred = y - y.mean(-1, keepdim=True)
    y = centred * (centred.square().mean(-1, keepdim=True) + 1e-5).rsqrt()
    y = y.flatten(-2) * own["ln_x.weight"] + own["ln_x.bias"]
    return (y * g * g.sigmoid()) @ own["output.weight"].T


def _feed(x: Tensor, own: Weights, size: tuple[int, int, int]) -> Tensor:
    own = {k.removeprefix("ffn."): v for k, v in own.items() if k.startswith("ffn.")}
    shifted = _shift(x, *size)
    k, r = (
        (
            x * own[f"spatial_mix_{name[0]}"]
            + shifted * (1 - own[f"spatial_mix_{name[0]}"])
        )
        @ own[f"{name}.weight"].T
        for name in ("key", "receptance")
    )
    return r.sigmoid() * (k.clamp(min=0).square() @ own["value.weight"].T)
