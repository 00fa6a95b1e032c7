"""Fuse saved scores with MMAction2's own ``report_accuracy.py``."""

from lcr_mmaction.upstream.doors import run_stock_script

if __name__ == "__main__":
    run_stock_script("analysis_tools/report_accuracy.py")
