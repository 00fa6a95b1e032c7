"""Print a whole config with MMAction2's own ``print_config.py``."""

from lcr_mmaction.upstream.doors import run_stock_script

if __name__ == "__main__":
    run_stock_script("analysis_tools/print_config.py")
