#!/usr/bin/env bash
# The installed MMAction2's dist_train.sh: CONFIG PROCESSES [further arguments].
set -euo pipefail
script=$(python -c "from lcr_mmaction.upstream.doors import stock_script
print(stock_script('dist_train.sh'))")
exec bash "$script" "$@"
