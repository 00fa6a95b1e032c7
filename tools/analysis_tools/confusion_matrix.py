"""Draw a confusion matrix with MMAction2's own ``confusion_matrix.py``."""

from lcr_mmaction.upstream.doors import run_stock_script

if __name__ == "__main__":
    run_stock_script("analysis_tools/confusion_matrix.py")
