"""Draw Grad-CAM with MMAction2's own ``vis_cam.py``.

Its defaults, a CUDA device and a layer of ResNet, become defaults that fit LCR.
"""

import sys

import torch

from lcr_mmaction.upstream.doors import run_stock_script
from lcr_mmaction.upstream.grad_cam import use_token_grad_cam

if __name__ == "__main__":
    use_token_grad_cam()
    # Options given by the user come later and win.
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    defaults = ["--device", device, "--target-layer-name", "backbone/frame_embed"]
    sys.argv[1:1] = defaults
    run_stock_script("visualizations/vis_cam.py")
