"""Count parameters and FLOPs with MMAction2's own ``get_flops.py``."""

from lcr_mmaction.upstream.doors import run_stock_script

if __name__ == "__main__":
    run_stock_script("analysis_tools/get_flops.py")
