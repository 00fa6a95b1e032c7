#!/usr/bin/env bash
# The installed MMAction2's slurm_test.sh: PARTITION JOB_NAME CONFIG CHECKPOINT [further arguments].
# That script starts tools/test.py of the current folder.
set -euo pipefail
if [ ! -f tools/test.py ]; then
    echo "Run slurm_test.sh from the folder that holds tools/test.py." >&2
    exit 2
fi
script=$(python -c "from lcr_mmaction.upstream.doors import stock_script
print(stock_script('slurm_test.sh'))")
exec bash "$script" "$@"
