"""Score saved predictions with MMAction2's own ``eval_metric.py``."""

from lcr_mmaction.upstream.doors import run_stock_script

if __name__ == "__main__":
    run_stock_script("analysis_tools/eval_metric.py")
