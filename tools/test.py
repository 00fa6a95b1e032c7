"""Test a recognizer with MMAction2's own ``test.py``."""

from lcr_mmaction.upstream.doors import run_stock_script

if __name__ == "__main__":
    run_stock_script("test.py")
