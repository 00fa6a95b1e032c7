"""Look at a dataset with MMAction2's own ``browse_dataset.py``."""

from lcr_mmaction.upstream.doors import run_stock_script

if __name__ == "__main__":
    run_stock_script("visualizations/browse_dataset.py")
