"""Grad-CAM on a backbone of tokens."""

from __future__ import annotations

from typing import Any

import mmaction.utils
from mmaction.utils import GradCAM
from torch import Tensor, nn


class TokenGradCAM(GradCAM):
    """MMAction2's Grad-CAM for layers that return tokens ``[N, T, L, C]``.

    Tokens before the patches, such as a class token, are left out.
    """

    def _register_hooks(self, layer_name: str) -> None:
        layer: nn.Module = self.model
        for name in layer_name.split("/"):
            children = dict(layer.named_children())
            if name not in children:
                raise ValueError(
                    f"--target-layer-name {layer_name}: {name!r} is no layer here, "
                    f"expected one of {sorted(children)}. Try 'backbone/frame_embed'."
                )
            layer = children[name]
        self.model.backbone.register_forward_pre_hook(self._note_grid)
        layer.register_forward_hook(self._keep)

    def _note_grid(self, backbone: Any, inputs: tuple[Tensor, ...]) -> None:
        """Note how many rows and columns of patches a frame has."""
        height, width = inputs[0].shape[-2:]
        self.grid = height // backbone.patch_size, width // backbone.patch_size

    def _keep(self, layer: nn.Module, inputs: Any, output: Any) -> None:
        """Keep a layer's output, and its gradient once that is known."""
        tokens = output[0] if isinstance(output, tuple) else output
        self.target_activations = self._as_volume(tokens)
        tokens.register_hook(self._keep_gradient)

    def _keep_gradient(self, gradient: Tensor) -> None:
        self.target_gradients = self._as_volume(gradient)

    def _as_volume(self, tokens: Tensor) -> Tensor:
        """Lay tokens ``[N, T, L, C]`` out as ``[N, C, T, rows, columns]``."""
        rows, columns = self.grid
        if tokens.ndim != 4 or tokens.shape[2] < rows * columns:
            raise ValueError(
                f"The target layer returns {list(tokens.shape)}; Grad-CAM needs one "
                f"that returns [N, T, at least {rows * columns} tokens, C]."
            )
        patches = tokens.detach()[:, :, -rows * columns :]
        return patches.unflatten(2, (rows, columns)).permute(0, 4, 1, 2, 3)

    def _alpha_blending(
        self, localization_map: Tensor, input_imgs: list[Tensor], alpha: float
    ) -> Tensor:
        """Blend the map with the colours alone, without the edges."""
        colours = [clip[:, :3] for clip in input_imgs]
        return super()._alpha_blending(localization_map, colours, alpha)


def use_token_grad_cam() -> None:
    """Give MMAction2's ``vis_cam.py`` a Grad-CAM that understands LCR's layers.

    The fault: upstream's takes only layers that return ``[N, C, T, H, W]`` and only
    clips of three channels. For that script's door.
    """
    mmaction.utils.GradCAM = TokenGradCAM
