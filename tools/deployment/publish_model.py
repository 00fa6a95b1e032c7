"""Strip a checkpoint with MMAction2's own ``publish_model.py``."""

from lcr_mmaction.upstream.doors import run_stock_script

if __name__ == "__main__":
    run_stock_script("deployment/publish_model.py")
