"""Draw Grad-CAM with MMAction2's own ``vis_cam.py``."""

from lcr_mmaction.upstream.doors import run_stock_script

if __name__ == "__main__":
    run_stock_script("visualizations/vis_cam.py")
