#!/usr/bin/env bash
# The installed MMAction2's slurm_train.sh: PARTITION JOB_NAME CONFIG [further arguments].
# That script starts tools/train.py of the current folder.
set -euo pipefail
if [ ! -f tools/train.py ]; then
    echo "Run slurm_train.sh from the folder that holds tools/train.py." >&2
    exit 2
fi
script=$(python -c "from lcr_mmaction.upstream.doors import stock_script
print(stock_script('slurm_train.sh'))")
exec bash "$script" "$@"
